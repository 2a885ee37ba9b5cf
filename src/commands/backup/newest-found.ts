import type { Unsound } from '../../repository/wholeness.ts'

/** What is known of the newest backup of a set from before a run that failed. */
export type Newest =
  /** `unsound`: newer ones that are damaged, newest first. */
  | { set: string; snapshot: string; time: string; unsound?: Unsound[] }
  /** None: the set is empty, or all that were looked at are damaged or of another key. */
  | { set: string; none: 'empty' | 'unsound'; unsound?: Unsound[] }
  /** The store could not be asked. */
  | { set: string; unknown: string }

export function redactedNewest(newest: Newest, apply: (text: string) => string): Newest {
  if ('unknown' in newest) return { ...newest, unknown: apply(newest.unknown) }
  return newest.unsound ? { ...newest, unsound: newest.unsound.map(({ snapshot, why }) => ({ snapshot, why: apply(why) })) } : newest
}

import { kindIfKnown } from './known-kinds.ts'
import type { Remarks } from './source-kind.ts'

export type { Remarks }

/** The remarks on a source in a snapshot; none for a kind that this version does not know. */
export function remarksOf({ kind, facts }: { kind: string; facts?: unknown }): Remarks {
  return kindIfKnown(kind)?.remarks(facts) ?? {}
}

const PREFIX = 'lifeboat-'
/** The last number that a backup tries. */
export const LAST_NAME = 100
/**
 * Names `lifeboat-<set>.2` and so on are asked for in groups of so many, until nothing has the last name of a group, and up to the last
 * that a backup takes. A prune leaves no gap in the names of a run.
 */
export const NAMES_AT_ONCE = 3
/** GitHub takes at most 500 artifacts of a job (actions/upload-artifact, "Limitations"): the last one is for the snapshot. */
export const LAST_PART = 499

/** The artifact of a set's first backup in a run, or of a further one. */
export function artifactName(set: string, number: number): string {
  return `${PREFIX}${set}${number === 1 ? '' : `.${number}`}`
}

/** The numbers that an artifact with this one needs before it to be found. */
export function namesBefore(number: number): number[] {
  return Array.from({ length: Math.floor((number - 1) / NAMES_AT_ONCE) }, (_, index) => NAMES_AT_ONCE * (index + 1))
}

/** The number in such a name. */
export function numberIn(name: string, set: string): number {
  return Number(/^\.([1-9]\d*)$/.exec(name.slice(artifactName(set, 1).length))?.[1] ?? 1)
}

/** A part of a backup, numbered within the run. No name of a set has a plus sign, so a part is never taken for a backup. */
export function partName(set: string, number: number): string {
  return `${PREFIX}${set}+${number}`
}

export function isPartName(name: string): boolean {
  return /^lifeboat-[^+]+\+[1-9]\d*$/.test(name)
}

/** Whether an artifact may be of this set, or of any, by its name. */
export function isNameOf(set: string | undefined, name: string): boolean {
  if (set === undefined) return name.startsWith(PREFIX)
  return name.startsWith(artifactName(set, 1)) && /^([.+][1-9]\d*)?$/.test(name.slice(artifactName(set, 1).length))
}

const ENDING = '.safety'
/** Characters of the name of a set (docs/format.md, section 4). */
const LONGEST = 100

/**
 * The set of the backups that restores from this set make of what they replace. It is a set of its own, so that none of them counts as
 * the newest backup of the set, or takes the place of one.
 */
export function safetySetOf(set: string): string {
  return isSafetySet(set) ? set : `${set.slice(0, LONGEST - ENDING.length)}${ENDING}`
}

export function isSafetySet(set: string): boolean {
  return set.endsWith(ENDING)
}

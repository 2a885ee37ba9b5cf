import { markedCommand } from '../marks.ts'
import type { Level } from '../repository/levels.ts'
import { putBack } from '../repository/references.ts'

/** Advice about a snapshot of a set that failed verification. Pure texts: `verify` and `check` give the same. */
export const BACK_UP_AGAIN = {
  damaged: (set: string): string =>
    'Back up again: the next backup stores again what is damaged, so its snapshot is whole. Snapshots that are there already stay ' +
    `damaged, unless the objects are put back from another store: ${putBack({ set })}, which also ` +
    `brings back snapshots that were deleted here. Then ${verifyAll(set)} tells.`,
  /** It failed, and every stored object is good. */
  intact: (set: string): string =>
    'Back up again: no stored object is damaged, so the next snapshot can be good. If objects were put back since, verify once more: ' +
    `${verifyAll(set)}.`,
}

/**
 * Advice about one that failed its drill: what is stored is whole, so that the same would be stored again. `destination`: if commands that
 * name none would look elsewhere.
 */
export function afterFailedDrill({ snapshot, ...place }: { set: string; snapshot: string; destination?: string }): string {
  return 'Correct the source first: as long as it has what the drill met (rows that do not meet a constraint, for example), a new backup ' +
    `fails its drill in the same way. ${markedCommand('show', { ...place, snapshot })} tells what that was. Then back up again, and ` +
    `drill that backup: ${markedCommand('verify', { ...place, level: 'drill' })}.`
}

/** The way to the rows of a database that fails its drill because of them. `place`: the inputs that say where it is. */
export function rowsOf(place: { snapshot: string; destination?: string; set?: string; database?: string }): string {
  const definitions = markedCommand('restore', { ...place, mode: 'create', only: 'schema' })
  const rows = markedCommand('restore', { ...place, only: 'data' })
  return 'If a restore of a database fails because rows do not meet a constraint, this brings all rows back: ' +
    `${definitions} into a new database; there, drop the constraint (ALTER TABLE … DROP CONSTRAINT …); then ${rows} into the same.`
}

/** Advice about one whose damaged objects have been found good since a verification at this level failed. */
export function verifyAgain({ set, snapshot, level }: { set: string; snapshot: string; level: Level }): string {
  const command = level === 'drill' ? markedCommand('verify', { set, snapshot, level }) : verifyAll(set)
  return `The damaged objects have been read again since, and are good. Verify once more: ${command}.`
}

/** The command that reads all snapshots of a set. */
export function verifyAll(set: string): string {
  return markedCommand('verify', { set, snapshot: 'all', level: 'read' })
}

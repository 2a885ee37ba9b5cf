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

/** Advice about one whose damaged objects have been found good since a verification at this level failed. */
export function verifyAgain({ set, snapshot, level }: { set: string; snapshot: string; level: Level }): string {
  const command = level === 'drill' ? markedCommand('verify', { set, snapshot, level }) : verifyAll(set)
  return `The damaged objects have been read again since, and are good. Verify once more: ${command}.`
}

/** The command that reads all snapshots of a set. */
export function verifyAll(set: string): string {
  return markedCommand('verify', { set, snapshot: 'all', level: 'read' })
}

import { marked } from '../marks.ts'

/** Advice about a snapshot that failed verification and that the next backup may follow. Pure texts: `verify` and `check` give the same. */
export const BACK_UP_AGAIN = {
  damaged:
    'Back up again: the next backup stores again what is damaged, so its snapshot is whole. Snapshots that are there already stay ' +
    marked`damaged, unless ‹lifeboat copy› with ‹from› puts the objects back from another store; ` +
    marked`‹lifeboat verify; snapshot: all; level: read› with ‹set› tells.`,
  /** It failed, and every stored object is good. */
  intact:
    'Back up again: no stored object is damaged, so the next snapshot can be good. If objects were put back since, verify it once more.',
}

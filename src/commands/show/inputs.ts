import { flagInput } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { optionalKey } from '../../inputs/key.ts'
import { oneSnapshot } from '../../inputs/one-snapshot.ts'
import { snapshotInput } from '../../inputs/snapshot.ts'
import { requireStore } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    snapshot: one('snapshot', { ...snapshotInput, default: 'latest', positional: true }),
    files: one('files', { ...flagInput, help: 'List the files of volumes too, with their sizes.' }),
    ...oneSnapshot,
    key: optionalKey(
      'Optional: without a key, only the claims of the store are shown; the content of a snapshot needs a key that can decrypt.',
    ),
  },
  requireStore,
)

export type ShowInputs = SlicesOf<typeof inputs>

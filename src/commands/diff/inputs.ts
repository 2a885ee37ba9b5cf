import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { oneSnapshot } from '../../inputs/one-snapshot.ts'
import { snapshotInput } from '../../inputs/snapshot.ts'
import { requireStore } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    from: one('from', {
      ...snapshotInput, positional: true,
      help: 'The older snapshot: latest, an id, or a time, which means the newest one not after it. Default: the one before the newer one.',
    }),
    to: one('to', { ...snapshotInput, positional: true, help: 'The newer one, in the same way. Default: the newest of the set.' }),
    ...oneSnapshot,
    key: requiredKey(),
  },
  requireStore,
)

export type DiffInputs = SlicesOf<typeof inputs>

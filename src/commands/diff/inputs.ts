import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { oneSnapshot } from '../../inputs/one-snapshot.ts'
import { chosenInput } from '../../inputs/snapshot.ts'
import { requireStore } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    from: one('from', { ...chosenInput, help: 'The older snapshot: latest, an id, or a time, which means the newest one not after it.' }),
    to: one('to', { ...chosenInput, help: 'The newer one, in the same way.' }),
    ...oneSnapshot,
    key: requiredKey(),
  },
  requireStore,
)

export type DiffInputs = SlicesOf<typeof inputs>

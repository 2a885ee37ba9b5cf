import { timeZone } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { optionalKey } from '../../inputs/key.ts'
import { setInput } from '../../inputs/snapshot.ts'
import { access, destination, requireStore } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    destination,
    set: one('set', { ...setInput, help: 'Only this set.' }),
    key: optionalKey('Optional: with a key, any of them, the signatures are checked, and only the snapshots made with it are counted.'),
    access: access(),
    timeZone,
  },
  requireStore,
)

export type StatsInputs = SlicesOf<typeof inputs>

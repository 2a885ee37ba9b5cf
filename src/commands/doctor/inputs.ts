import { clientInstall, databases, requireDatabase } from '../../inputs/database.ts'
import { timeZone } from '../../inputs/display.ts'
import { commandInputs, type SlicesOf } from '../../inputs/group.ts'
import { optionalKey } from '../../inputs/key.ts'
import { set } from '../../inputs/snapshot.ts'
import { access, destinations, requireStores } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    destinations: destinations('Several, one per line: each is tried.'),
    databases: databases('The databases to look at'),
    key: optionalKey('Optional: doctor also checks that it opens the store.'),
    set,
    clientInstall,
    access: access(),
    timeZone,
  },
  (slices, variables) => {
    requireDatabase(slices.databases.tunnel, slices.databases.list.length > 0)
    requireStores(slices, variables)
  },
)

export type DoctorInputs = SlicesOf<typeof inputs>

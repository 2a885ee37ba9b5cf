import { attest } from '../../inputs/attest.ts'
import { clientInstall } from '../../inputs/database.ts'
import { timeZone } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { drillOptions, requireDrill } from '../../inputs/kind-options.ts'
import { notify } from '../../inputs/notify.ts'
import { report } from '../../inputs/report.ts'
import * as schema from '../../inputs/schemas.ts'
import { set } from '../../inputs/snapshot.ts'
import { access, destination, requireStore } from '../../inputs/store.ts'
import { LEVELS, levelsText } from '../../repository/levels.ts'

export const inputs = commandInputs(
  {
    key: requiredKey(),
    destination,
    set,
    snapshot: one('snapshot', {
      short: 'i',
      help: 'Which backup: latest, the id of a snapshot, a time or age, which mean the newest one not after it, or all, each of the set.',
      expected: 'latest, the id of a snapshot, a date, time or age, or all',
      example: 'all',
      schema: schema.anySnapshotOrAll,
      default: 'latest',
    }),
    level: one('level', {
      help: levelsText(LEVELS),
      expected: 'list, read or drill',
      example: 'read',
      schema: schema.oneOf(...LEVELS),
      default: 'list',
    }),
    ...drillOptions,
    attest,
    clientInstall,
    access: access(),
    notify,
    report,
    timeZone,
  },
  (slices, variables) => {
    requireDrill('level', slices.level, slices)
    requireStore(slices, variables)
  },
)

export type VerifyInputs = SlicesOf<typeof inputs>

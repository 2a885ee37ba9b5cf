import { flagInput } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { oneSnapshot } from '../../inputs/one-snapshot.ts'
import * as schema from '../../inputs/schemas.ts'
import { requireStore } from '../../inputs/store.ts'

const { key, destination, access, timeZone } = oneSnapshot

export const inputs = commandInputs(
  {
    snapshots: one('snapshots', {
      help: 'The ids of the snapshots to delete.',
      expected: 'ids of snapshots, as `lifeboat list` shows them',
      example: '20261120T020000Z-5f3a9c1e',
      schema: schema.snapshotIds,
      required: true,
      positional: true,
      list: true,
    }),
    force: one('force', {
      ...flagInput, once: true,
      help: 'Delete also the newest snapshot of a set, the only verified one, pinned ones, and those of another key.',
    }),
    key,
    destination,
    access,
    timeZone,
  },
  requireStore,
)

export type ForgetInputs = SlicesOf<typeof inputs>

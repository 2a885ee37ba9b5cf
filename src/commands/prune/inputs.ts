import { flagInput, retentionTimeZone } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { encryptionKey, requiredKey } from '../../inputs/key.ts'
import { notify } from '../../inputs/notify.ts'
import { pruning, retentionInput } from '../../inputs/pruning.ts'
import * as schema from '../../inputs/schemas.ts'
import { setInput } from '../../inputs/snapshot.ts'
import { access, destination, requireStore } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    destination,
    key: requiredKey(`${encryptionKey.help} A write key is enough: nothing is decrypted.`),
    set: one('set', {
      ...setInput, help: 'The set to prune. Snapshots of other sets stay: each set is pruned by a command of its own.', default: 'default',
    }),
    retention: one('retention', {
      ...retentionInput,
      help: 'Which snapshots of the set to keep; with none all, and only data that no snapshot needs is deleted.',
      expected: 'rules last=, daily=, weekly=, monthly=, yearly=, drilled= with a number, within= with an age (h, d, w, y), or none',
      schema: schema.retention,
      required: true,
    }),
    dryRun: one('dry-run', {
      ...flagInput, once: true, short: 'n', help: 'Show what would be kept and deleted, and why, and delete nothing.',
    }),
    maxDelete: one('max-delete', {
      help: 'Delete nothing if more snapshots of the set would be deleted than this number, or this part of them.',
      expected: 'a number, or a percentage from 0% to 100%',
      example: '10',
      schema: schema.most,
      default: '50%',
    }),
    pruning,
    force: one('force', {
      ...flagInput, once: true, help: 'Prune also if max-delete, prune-min-size or missing snapshots would prevent it.',
    }),
    access: access('For artifacts: the token that finds, reads and deletes them, of a job with `permissions: actions: write`.'),
    notify,
    timeZone: retentionTimeZone,
  },
  requireStore,
)

export type PruneInputs = SlicesOf<typeof inputs>

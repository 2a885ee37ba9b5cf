import { resolve } from 'node:path'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { timeZone } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { notify } from '../../inputs/notify.ts'
import { graceInput } from '../../inputs/pruning.ts'
import * as schema from '../../inputs/schemas.ts'
import { setInput } from '../../inputs/snapshot.ts'
import { folderOf } from '../../stores/file/destination.ts'
import { access, create, destinationInput, requireStore } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    from: one(
      'from',
      {
        ...destinationInput,
        help: 'The store to copy from, written like a destination.',
        variable: undefined,
        default: undefined,
        short: 'f',
        required: true,
      },
    ),
    destination: one(
      'destination',
      { ...destinationInput, own: true, help: `The store to copy to; it is created if it is missing. ${destinationInput.help}` },
    ),
    create,
    key: requiredKey('The key of the backups; a write key is enough, unless damaged objects are to be replaced.'),
    set: one('set', { ...setInput, help: 'Copy only this set; without it, every set there is.' }),
    snapshot: one('snapshot', {
      help: 'Which backups: all, latest (of each set that is copied), or the id of one.',
      expected: 'all, latest or the id of a snapshot',
      example: 'latest',
      schema: schema.snapshotOrAll,
      default: 'all',
    }),
    grace: one('grace', {
      ...graceInput,
      help: 'How long unreferenced data stays in the store that is copied to: the same for every backup, copy and prune of it.',
    }),
    access: access(),
    notify,
    timeZone,
  },
  (slices, variables) => {
    const { from, destination } = slices
    if (from.text === destination.text || isSameFolder(folderOf(from), folderOf(destination))) {
      throw new LifeboatError(`from and destination are the same store, ${from.text}; nothing was copied`, {
        hint: marked`Give another store as ‹destination›.`, status: 2,
      })
    }
    requireStore(slices, variables)
  },
)

function isSameFolder(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && resolve(one) === resolve(other)
}

export type CopyInputs = SlicesOf<typeof inputs>

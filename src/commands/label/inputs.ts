import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { oneSnapshot } from '../../inputs/one-snapshot.ts'
import { chosenInput, tagsInput } from '../../inputs/snapshot.ts'
import { requireStore } from '../../inputs/store.ts'

const snapshot = one('snapshot', chosenInput)

/** Of pin and unpin. */
export const inputs = commandInputs({ snapshot, ...oneSnapshot }, requireStore)

export const tagInputs = commandInputs(
  {
    snapshot,
    tags: one('tags', { ...tagsInput, help: 'The tags to add, after the snapshot.', positional: true }),
    remove: one('remove', { ...tagsInput, once: true, help: 'Tags to remove, also those that the snapshot was made with.' }),
    ...oneSnapshot,
  },
  requireStore,
)

export type LabelInputs = SlicesOf<typeof inputs>
export type TagInputs = SlicesOf<typeof tagInputs>

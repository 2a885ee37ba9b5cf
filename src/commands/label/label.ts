import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { findSnapshot, type Looking, type SnapshotChoice } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { type Labels, labelsKey, labelsOf, putLabels, tagsOf } from '../../repository/labels.ts'
import { type AuthenticSnapshot, MOST_TAGS } from '../../repository/snapshot.ts'
import { isThere, type Store } from '../../stores/store.ts'
import { lookingAs, setFor, withStore } from '../with-store.ts'
import type { LabelInputs, TagInputs } from './inputs.ts'
import type { LabelResult } from './result.ts'

/** Pins a snapshot: no retention policy deletes it from then on. */
export function pin(inputs: LabelInputs, environment: Environment): Promise<LabelResult> {
  return inStore(inputs, environment, ({ tags }) => ({ pinned: true, tags }))
}

export function unpin(inputs: LabelInputs, environment: Environment): Promise<LabelResult> {
  return inStore(inputs, environment, ({ tags }) => ({ pinned: false, tags }))
}

/** Adds tags to a snapshot and takes others away, also those it was made with. */
export function tag(inputs: TagInputs, environment: Environment): Promise<LabelResult> {
  const { tags: added, remove } = inputs
  if (added.length + remove.length === 0) {
    throw new LifeboatError(
      'no tag is given',
      { hint: marked`Name the tags after the snapshot, or with ‹remove› those to take away.`, status: 2 },
    )
  }
  return inStore(
    inputs,
    environment,
    ({ pinned }, tags) => ({ pinned, tags: [...new Set([...tags, ...added])].filter((tag) => !remove.includes(tag)) }),
  )
}

/** The labels to store; `tags` are those that the snapshot has now. */
type Change = (labels: Labels, tags: readonly string[]) => Labels

function inStore(inputs: LabelInputs, environment: Environment, change: Change): Promise<LabelResult> {
  const { snapshot: choice, destination, set } = inputs
  if (destination.immutable) {
    const why = 'an artifact never changes, and GitHub deletes it when its days are over'
    throw new LifeboatError(`backups in artifacts can be neither pinned nor tagged: ${why}`, {
      hint: 'Give tags when the backup is made; and keep what is to stay in another destination: the command copy puts it there.',
      status: 2,
    })
  }
  const onDamaged = (problem: string): void => environment.report.warning(problem, 'Its labels are written again.')
  return withStore(
    { ...inputs, set: setFor(set, choice) },
    environment,
    (store, keys) => label(store, keys, set, choice, change, onDamaged, lookingAs(environment)),
  )
}

/** Changes the labels of a snapshot. Throws when it was deleted meanwhile: then nothing of it is left. */
export async function label(
  store: Store,
  keys: Keys,
  among: string,
  choice: SnapshotChoice,
  change: Change,
  onDamaged: (problem: string) => void,
  looking?: Looking,
): Promise<LabelResult> {
  const snapshot = await findSnapshot(store, keys, among, choice, looking)
  const { id, set, time } = snapshot.header
  const { problem, ...labels } = await labelsOf(store, keys, set, id)
  if (problem !== undefined) onDamaged(problem)
  const changed = change(labels, tagsOf(snapshot.header, labels))
  if ((changed.tags?.length ?? 0) > MOST_TAGS) {
    throw new LifeboatError(
      `snapshot ${id} would have ${changed.tags?.length} tags, and ${MOST_TAGS} are the most`,
      { hint: 'Take some away with --remove.', status: 2 },
    )
  }
  await putLabels(store, snapshot.keys, set, id, changed)
  await requireStillThere(store, snapshot)
  return { snapshot: id, set, time, pinned: changed.pinned, tags: tagsOf(snapshot.header, changed) }
}

/** A prune that had already read the labels may have deleted the snapshot meanwhile. */
async function requireStillThere(store: Store, { key, header }: AuthenticSnapshot): Promise<void> {
  if (await isThere(store, key)) return
  await store.delete(labelsKey(header.set, header.id))
  throw new LifeboatError(
    `snapshot ${header.id} was deleted while it was labelled`,
    { hint: marked`Another run pruned it. ‹lifeboat list› shows those that are left.` },
  )
}

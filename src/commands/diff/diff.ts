import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { markedCommand } from '../../marks.ts'
import type { Reader } from '../../repository/reader.ts'
import { findSnapshot, idOf, type Looking, snapshotKeys } from '../../repository/catalog.ts'
import { type AuthenticSnapshot, type Manifest, openManifest, sourceSize, timeOfId } from '../../repository/snapshot.ts'
import { kindIfKnown } from '../../sources/known-kinds.ts'
import type { StoredSource } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import { recordingDamage } from '../recording-damage.ts'
import { lookingAs, setFor, withStore } from '../with-store.ts'
import type { DiffInputs } from './inputs.ts'
import type { DiffResult, SourceDiff } from './result.ts'

interface Side {
  snapshot: AuthenticSnapshot
  manifest: Manifest
}

/** The differences between two snapshots: sources, with what their kinds compare, and how much of their content is the same. */
export function diff(inputs: DiffInputs, environment: Environment): Promise<DiffResult> {
  const choices = [inputs.from, inputs.to].filter((choice) => choice !== undefined)
  return withStore({ ...inputs, set: setFor(inputs.set, ...choices) }, environment, async (store, keys) => {
    const looking = lookingAs(environment)
    const chosen = inputs.from && (await sideOf(await findSnapshot(store, keys, inputs.set, inputs.from, looking)))
    const set = inputs.to || !chosen ? inputs.set : chosen.snapshot.header.set
    const to = await sideOf(await findSnapshot(store, keys, set, inputs.to ?? { kind: 'latest' }, looking))
    const from = chosen ?? (await sideOf(await snapshotBefore(to.snapshot, store, looking)))
    const names = [...new Set([from, to].flatMap(({ manifest }) => manifest.sources.map(({ name }) => name)))]
    const sources: DiffResult['sources'] = []
    await recordingDamage(from.snapshot, store, environment, (ofFrom) =>
      recordingDamage(to.snapshot, store, environment, async (ofTo) => {
        for (const name of names) sources.push(await compareSources(storedIn(from, name, ofFrom()), storedIn(to, name, ofTo())))
      }))
    return { from: headOf(from), to: headOf(to), content: contentOf(from, to), sources }
  })
}

/** The newest of the same set that is older. */
async function snapshotBefore(
  { header: { id, set }, keys }: AuthenticSnapshot, store: Store, { now, onPassedOver }: Looking,
): Promise<AuthenticSnapshot> {
  const older = (await snapshotKeys(store, set)).filter((key) => idOf(key) < id)
  if (older.length === 0) {
    throw new LifeboatError(`set ${set} has no snapshot before ${id} to compare it with`, {
      hint: `After the next backup there are two. To see what is in this one: ${markedCommand('show', { set, snapshot: id })}.`,
    })
  }
  // Ids count whole seconds, and no two of a set have the same.
  const time = new Date(Date.parse(timeOfId(id)) - 1000)
  return findSnapshot(store, keys, set, { kind: 'time', time }, { now, onPassedOver })
}

async function sideOf(snapshot: AuthenticSnapshot): Promise<Side> {
  return { snapshot, manifest: await openManifest(snapshot) }
}

function headOf({ snapshot: { header: { id, set, time, size } } }: Side): DiffResult['from'] {
  return { snapshot: id, set, time, size }
}

function contentOf(from: Side, to: Side): DiffResult['content'] {
  const before = chunksOf(from)
  const content = { chunks: 0, bytes: 0, sharedChunks: 0, sharedBytes: 0, deltaChunks: 0 }
  for (const [id, { size, isDelta }] of chunksOf(to)) {
    content.chunks++
    content.bytes += size
    if (before.has(id)) {
      content.sharedChunks++
      content.sharedBytes += size
    } else if (isDelta) content.deltaChunks++
  }
  return content
}

/** The chunks that streams are made of, by their ids, with their raw sizes; without those that are only bases. */
function chunksOf({ snapshot, manifest }: Side): Map<string, { size: number; isDelta: boolean }> {
  const chunks = new Map<string, { size: number; isDelta: boolean }>()
  for (const { streams } of manifest.sources) {
    for (const stream of streams) {
      for (const index of stream.chunks) {
        const [id, size, , base] = snapshot.header.chunks[index]!
        chunks.set(id, { size, isDelta: base !== null })
      }
    }
  }
  return chunks
}

async function compareSources(before: StoredSource | undefined, after: StoredSource | undefined): Promise<SourceDiff> {
  const { name, kind } = (after ?? before)!.source
  const common = { name, kind, from: before ? sourceSize(before.source) : null, to: after ? sourceSize(after.source) : null }
  if (!before || !after) return common
  return { ...common, identical: hashesOf(before) === hashesOf(after), ...(await kindIfKnown(kind)?.compare(before, after)) }
}

function storedIn({ manifest }: Side, name: string, reader: Reader): StoredSource | undefined {
  const source = manifest.sources.find((source) => source.name === name)
  return source && { source, read: (stream) => reader.stream(stream) }
}

function hashesOf({ source }: StoredSource): string {
  return source.streams.map(({ name, sum }) => `${sum} ${name}`).join('\n')
}

import type { Environment } from '../../environment.ts'
import type { Reader } from '../../repository/reader.ts'
import { findSnapshot, type SnapshotChoice } from '../../repository/catalog.ts'
import { type AuthenticSnapshot, type Manifest, openManifest, sourceSize } from '../../repository/snapshot.ts'
import { kindIfKnown } from '../../sources/known-kinds.ts'
import type { StoredSource } from '../../sources/source-kind.ts'
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
  return withStore({ ...inputs, set: setFor(inputs.set, inputs.from, inputs.to) }, environment, async (store, keys) => {
    const side = async (choice: SnapshotChoice): Promise<Side> => {
      const snapshot = await findSnapshot(store, keys, inputs.set, choice, lookingAs(environment))
      return { snapshot, manifest: await openManifest(snapshot) }
    }
    const [from, to] = [await side(inputs.from), await side(inputs.to)]
    const names = [...new Set([from, to].flatMap(({ manifest }) => manifest.sources.map(({ name }) => name)))]
    const sources: DiffResult['sources'] = []
    await recordingDamage(from.snapshot, store, environment, (ofFrom) =>
      recordingDamage(to.snapshot, store, environment, async (ofTo) => {
        for (const name of names) sources.push(await compareSources(storedIn(from, name, ofFrom()), storedIn(to, name, ofTo())))
      }))
    return { from: headOf(from), to: headOf(to), content: contentOf(from, to), sources }
  })
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

import type { Environment } from '../../environment.ts'
import type { Inputs } from '../../inputs.ts'
import { type PostgresFacts, postgresFacts } from '../../sources/postgres/facts.ts'
import { findSnapshot, type SnapshotChoice } from '../../repository/catalog.ts'
import { factsOf, type AuthenticSnapshot, type Manifest, openManifest, sourceSize, type SourceRecord } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { compareFiles, type Part } from '../../sources/files/compare.ts'
import { volumeFacts } from '../../sources/files/facts.ts'
import { displayName } from '../../sources/files/file-list.ts'
import { listedFiles, shownFile } from '../files.ts'
import { lookedIn, lookingAs, withStore } from '../with-store.ts'
import type { DatabaseDiff, DiffResult, FilesDiff } from './result.ts'

interface Side {
  snapshot: AuthenticSnapshot
  manifest: Manifest
}

/** What is different between two snapshots: sources, tables, settings, files, and how much of their content is the same. */
export function diff(inputs: Inputs['diff'], environment: Environment): Promise<DiffResult> {
  return withStore(lookedIn(inputs, inputs.from, inputs.to), environment, async (store, keys) => {
    const side = async (choice: SnapshotChoice): Promise<Side> => {
      const snapshot = await findSnapshot(store, keys, inputs.set, choice, lookingAs(environment))
      return { snapshot, manifest: await openManifest(snapshot) }
    }
    const [from, to] = [await side(inputs.from), await side(inputs.to)]
    const names = [...new Set([from, to].flatMap(({ manifest }) => manifest.sources.map(({ name }) => name)))]
    const sources: DiffResult['sources'] = []
    for (const name of names) sources.push(await compareSources(name, from, to, store))
    return { from: headOf(from), to: headOf(to), content: contentOf(from, to), sources }
  })
}

function headOf({ snapshot: { header: { id, set, time, size } } }: Side): DiffResult['from'] {
  return { snapshot: id, set, time, size }
}

function contentOf(from: Side, to: Side): DiffResult['content'] {
  const before = chunksOf(from)
  const content = { chunks: 0, bytes: 0, sharedChunks: 0, sharedBytes: 0 }
  for (const [id, size] of chunksOf(to)) {
    content.chunks++
    content.bytes += size
    if (!before.has(id)) continue
    content.sharedChunks++
    content.sharedBytes += size
  }
  return content
}

/** The raw sizes of the chunks that streams are made of, by their ids; without those that are only bases. */
function chunksOf({ snapshot, manifest }: Side): Map<string, number> {
  const chunks = new Map<string, number>()
  for (const { streams } of manifest.sources) {
    for (const stream of streams) {
      for (const index of stream.chunks) {
        const [id, size] = snapshot.header.chunks[index]!
        chunks.set(id, size)
      }
    }
  }
  return chunks
}

async function compareSources(name: string, from: Side, to: Side, store: Store): Promise<DiffResult['sources'][number]> {
  const [before, after] = [from, to].map(({ manifest }) => manifest.sources.find((source) => source.name === name))
  const common = { name, kind: (after ?? before)!.kind, from: before ? sourceSize(before) : null, to: after ? sourceSize(after) : null }
  if (!before || !after) return common
  const [older, newer] = [before, after].map(({ kind, facts }) => (kind === 'postgres' ? postgresFacts.safeParse(facts).data : undefined))
  const files = await filesDiff(before, from, after, to, store)
  const [had, has] = [before, after].map(({ streams }) => streams.map(({ name, sha256 }) => `${sha256} ${name}`).join('\n'))
  return { ...common, identical: had === has, ...(older && newer && { database: compareDatabases(older, newer) }), ...(files && { files }) }
}

function compareDatabases(from: PostgresFacts, to: PostgresFacts): DatabaseDiff {
  const [before, after] = [from, to].map(settingsOf)
  const settings = [...new Set([...before!.keys(), ...after!.keys()])].map((name) => ({ name, from: before!.get(name) ?? null, to: after!.get(name) ?? null }))
  return { settings: settings.filter(({ from, to }) => from !== to), tables: compareTables(from, to), entries: compareEntries(from.entries, to.entries) }
}

function settingsOf({ server, dumpVersion, encoding, collation, extensions }: PostgresFacts): Map<string, string> {
  return new Map([
    ['server', server.version],
    ['pg_dump', dumpVersion],
    ['encoding', encoding],
    ['collation', collation],
    ...extensions.map(({ name, version }): [string, string] => [`extension ${name}`, version]),
  ])
}

function compareTables(from: PostgresFacts, to: PostgresFacts): DatabaseDiff['tables'] {
  const [before, after] = [from, to].map(({ tables }) => new Map(tables.map(({ schema, name, rows, bytes }) => [`${schema}.${name}`, { name: `${schema}.${name}`, rows, bytes }])))
  const changed = [...after!.values()].flatMap(({ name, rows, bytes }) => {
    const old = before!.get(name)
    return old && (old.rows !== rows || old.bytes !== bytes) ? [{ name, rows: { from: old.rows, to: rows }, bytes: { from: old.bytes, to: bytes } }] : []
  })
  return { added: [...after!.values()].filter(({ name }) => !before!.has(name)), removed: [...before!.values()].filter(({ name }) => !after!.has(name)), changed }
}

/** Without the numbers that lines of `pg_restore --list` begin with, which differ from dump to dump. */
function compareEntries(from: readonly string[], to: readonly string[]): DatabaseDiff['entries'] {
  const [before, after] = [from, to].map((entries) => entries.map((entry) => entry.replace(/^\d+; \d+ \d+ /, '')))
  return { added: without(after!, before!), removed: without(before!, after!) }
}

/** Those of `texts` that are not in `others`, each as often as it is there more often. */
function without(texts: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const text of others) counts.set(text, (counts.get(text) ?? 0) + 1)
  return texts.filter((text) => {
    const left = counts.get(text) ?? 0
    counts.set(text, left - 1)
    return left <= 0
  })
}

async function filesDiff(before: SourceRecord, from: Side, after: SourceRecord, to: Side, store: Store): Promise<FilesDiff | undefined> {
  if (![before, after].every(({ streams }) => streams.some(({ format }) => format === 'tar-list'))) return undefined
  const { added, removed, changed, ...unchanged } = await compareFiles(listedFiles(before, from.snapshot, store), listedFiles(after, to.snapshot, store), partsOf(before, after))
  return { ...unchanged, added: added.map(shownFile), removed: removed.map(shownFile), changed: changed.map(({ from, to, what }) => ({ path: displayName(to.path), type: to.type, from: from.size, to: to.size, what })) }
}

/** The parts of the newer archive; those with the same SHA-256 hold the same members with the same names. */
function partsOf(before: SourceRecord, after: SourceRecord): Part[] {
  const { segments } = factsOf(after, volumeFacts)
  const had = new Set(archivesOf(before))
  return archivesOf(after).map((sha256, index) => ({ entries: segments[index]?.entries ?? 0, same: had.has(sha256) }))
}

function archivesOf({ streams }: SourceRecord): string[] {
  return streams.filter(({ format }) => format === 'tar').map(({ sha256 }) => sha256)
}

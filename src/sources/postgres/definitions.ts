import { hash } from 'node:crypto'
import { messageOf } from '../../error.ts'
import { DamagedChunk } from '../../repository/reader.ts'
import { DamagedSnapshot } from '../../repository/snapshot.ts'
import { BadSource } from '../source.ts'
import type { StoredSource } from '../source-kind.ts'
import { ContentsReader, isSetting, type PassingEntry } from './contents.ts'
import { UnknownFormat } from './contents-form.ts'
import { archiveOf, readArchive } from './archive-parts/stored-archive.ts'

/** An entry that two archives have, and that differs. */
export interface ChangedDefinition {
  /** As in `pg_restore --list`: `VIEW public totals`. */
  entry: string
  /** Of rows and other data, only the owner is compared. */
  data: boolean
  /** The owners. */
  from: string
  to: string
}

/** Characters of a digest: 16 bytes as base64. */
const DIGEST = 24

/**
 * Compares the owners and the SQL of the entries that two archives have, by their tables of contents. If an archive is damaged or of an
 * unknown format, gives that instead.
 */
export async function changedDefinitions(before: StoredSource, after: StoredSource): Promise<ChangedDefinition[] | string> {
  try {
    if (sumsOf(before) === sumsOf(after)) return []
    // Short texts, as there may be hundreds of thousands. Several entries can have the same name.
    const known = new Map<string, string[]>()
    await eachEntry(before, ({ name, digest, owner }) => {
      const key = digestOf(name)
      known.set(key, [...(known.get(key) ?? []), digest + owner])
    })
    const changed: ChangedDefinition[] = []
    const unmatched = new Map<string, Digested[]>()
    await eachEntry(after, (entry) => {
      const { name, digest, owner } = entry
      const key = digestOf(name)
      const own = known.get(key)
      const same = own?.indexOf(digest + owner) ?? -1
      if (same >= 0) own!.splice(same, 1)
      else if (own) unmatched.set(key, [...(unmatched.get(key) ?? []), entry])
    })
    for (const [key, entries] of unmatched)
      for (const { name, data, owner } of entries) {
        const old = known.get(key)!.shift()
        if (old !== undefined) changed.push({ entry: name, data, from: old.slice(DIGEST), to: owner })
      }
    return changed
  } catch (error) {
    if ([DamagedChunk, DamagedSnapshot, BadSource, UnknownFormat].some((kind) => error instanceof kind)) return messageOf(error)
    throw error
  }
}

function sumsOf({ source }: StoredSource): string {
  const { main, parts } = archiveOf(source)
  return [main, ...parts.map(({ record }) => record)].map(({ sum }) => sum).join(' ')
}

interface Digested {
  name: string
  digest: string
  owner: string
  data: boolean
}

async function eachEntry(stored: StoredSource, take: (entry: Digested) => void): Promise<void> {
  const contents = new ContentsReader({
    keeps: (entry) => {
      const data = isData(entry)
      if (!isSetting(entry)) take({ name: nameOf(entry), digest: digestOf(data ? '' : entry.sql()), owner: entry.owner, data })
      return false
    },
  })
  for await (const piece of readArchive(stored)) if (!contents.push(piece)) break
  contents.finish()
}

function isData({ kind }: PassingEntry): boolean {
  return /^(?:TABLE DATA|SEQUENCE SET|BLOBS?|BLOB METADATA|MATERIALIZED VIEW DATA|STATISTICS DATA)$/.test(kind)
}

function nameOf({ kind, schema, name }: PassingEntry): string {
  return `${kind} ${schema || '-'} ${name}`.replaceAll(/[\r\n]/g, ' ')
}

function digestOf(text: string): string {
  return hash('sha256', text, 'buffer').toString('base64', 0, 16)
}

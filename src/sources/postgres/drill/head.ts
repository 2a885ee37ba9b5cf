import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { type ArchiveContext, readContents } from '../archive.ts'
import type { Entry, PassingEntry } from '../contents.ts'
import { rolesOf } from '../named-roles.ts'
import { NeededCollations } from './collations.ts'
import { onlyBySuperusers, parentsOf } from './statements.ts'

/** The beginning of an archive, with its table of contents, in a file of its own: definitions are restored from it. */
export interface Head {
  /** Those of the database itself, of the settings of its archive, and of extensions. */
  readonly entries: readonly Entry[]
  /** Every entry by its id: there may be hundreds of thousands, of which the names take much memory. */
  readonly alike: ReadonlyMap<number, Alike>
  /** The roles that entries name. */
  readonly roles: string[]
  /** The owners of the objects in each schema. */
  readonly owners: ReadonlyMap<string, ReadonlySet<string>>
  /** The owners of the children and partitions of each table. */
  readonly parents: ReadonlyMap<string, ReadonlySet<string>>
  readonly collations: NeededCollations
  readonly file: string
  bytes(this: void): AsyncIterable<Buffer>
  remove(this: void): Promise<void>
}

/** Entries with the same kind and owner, in the same pass of pg_restore: one object for all of them. */
export interface Alike {
  readonly kind: string
  readonly owner: string
  readonly pass: 'main' | 'privileges' | 'last'
  /** Only a superuser can have made it, whoever owns it now. */
  readonly privileged: boolean
}

/** Reads as much of an archive as its table of contents takes. Throws if it is of another format. */
export async function stageHead(
  archive: AsyncIterable<Buffer>,
  reading: ArchiveContext,
  temporary: string,
): Promise<Head> {
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const file = path.join(temporary, `head-${randomBytes(4).toString('hex')}`)
  const remove = (): Promise<void> => rm(file, { force: true })
  const handle = await open(file, 'wx', 0o600)
  try {
    const passed = new PassedEntries()
    const keeps = (entry: PassingEntry): boolean => passed.add(entry)
    const { entries, unknown } = await readContents(copied(archive, (piece) => handle.appendFile(piece)), reading, [], keeps)
    if (unknown) throw unknown
    // Those of the database and of the settings are kept without being asked about.
    for (const entry of entries) passed.add({ ...entry, sql: () => entry.definition ?? '' })
    const { alike, roles, owners, parents, collations } = passed
    return { entries, alike, roles: [...roles], owners, parents, collations, file, bytes: () => createReadStream(file), remove }
  } catch (error) {
    await remove()
    throw error
  } finally {
    await handle.close()
  }
}

/** Whether the archive has a relation or a type of that name, or a function with that beginning: `f(`. */
export async function hasInSchema({ bytes }: Head, name: string, reading: ArchiveContext): Promise<boolean> {
  let found = false
  await readContents(bytes(), reading, [], (entry) => {
    const same = name.endsWith('(') ? entry.name.startsWith(name) : entry.name === name
    if (same && entry.schema !== '' && OBJECTS.test(entry.kind)) found = true
    return false
  })
  return found
}

const OBJECTS = /^(?:(?:FOREIGN )?TABLE|(?:MATERIALIZED )?VIEW|SEQUENCE|INDEX|TYPE|DOMAIN|FUNCTION|PROCEDURE|AGGREGATE)$/

async function* copied(bytes: AsyncIterable<Buffer>, copy: (piece: Buffer) => Promise<void>): AsyncGenerator<Buffer> {
  for await (const piece of bytes) {
    await copy(piece)
    yield piece
  }
}

class PassedEntries {
  readonly alike = new Map<number, Alike>()
  readonly roles = new Set<string>()
  readonly owners = new Map<string, Set<string>>()
  readonly parents = new Map<string, Set<string>>()
  readonly collations = new NeededCollations()
  readonly #known = new Map<string, Alike>()

  /** Whether more of the entry is needed. */
  add(entry: PassingEntry): boolean {
    const { id, kind, owner, schema } = entry
    const one: Alike = { kind, owner, pass: passOf(entry), privileged: onlyBySuperusers(entry) }
    const key = JSON.stringify(one)
    this.alike.set(id, this.#known.get(key) ?? one)
    if (!this.#known.has(key)) this.#known.set(key, one)
    for (const role of [owner, ...rolesOf(entry)]) this.roles.add(role)
    if (schema !== '' && one.pass === 'main') addTo(this.owners, schema, owner)
    for (const parent of parentsOf(entry)) addTo(this.parents, parent, owner)
    this.collations.add(entry)
    return kind === 'EXTENSION'
  }
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value))
}

/** As `_tocEntryRestorePass` of pg_backup_archiver.c. */
export function passOf({ kind, name }: Pick<PassingEntry, 'kind' | 'name'>): Alike['pass'] {
  if (/\bACL\b/.test(kind)) return 'privileges'
  const late = /^(?:EVENT TRIGGER|MATERIALIZED VIEW DATA|STATISTICS DATA)$/.test(kind)
  return late || (/^(?:COMMENT|SECURITY LABEL)$/.test(kind) && name.startsWith('EVENT TRIGGER ')) ? 'last' : 'main'
}

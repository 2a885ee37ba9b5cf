import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { type ArchiveContext, readContents } from '../archive.ts'
import type { Entry, PassingEntry } from '../contents.ts'
import { rolesOfEntry } from './roles.ts'

/** The beginning of an archive, with its table of contents, in a file of its own: definitions are restored from it. */
export interface Head {
  /** Those of the database itself, of the settings of its archive, and of extensions. */
  readonly entries: readonly Entry[]
  /** Every entry by its id: there may be hundreds of thousands, of which the names take much memory. */
  readonly alike: ReadonlyMap<number, Alike>
  /** The roles that entries name. Perhaps some other names, too. */
  readonly roles: string[]
  /** The owners of the objects in each schema. */
  readonly owners: ReadonlyMap<string, ReadonlySet<string>>
  readonly file: string
  bytes(this: void): AsyncIterable<Buffer>
  remove(this: void): Promise<void>
}

/** Entries with the same kind and owner, in the same pass of pg_restore: one object for all of them. */
export interface Alike {
  readonly kind: string
  readonly owner: string
  readonly pass: 'main' | 'privileges' | 'last'
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
    const { alike, roles, owners } = passed
    return { entries, alike, roles: [...roles], owners, file, bytes: () => createReadStream(file), remove }
  } catch (error) {
    await remove()
    throw error
  } finally {
    await handle.close()
  }
}

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
  readonly #known = new Map<string, Alike>()

  /** Whether more of the entry is needed. */
  add(entry: PassingEntry): boolean {
    const { id, kind, owner, schema } = entry
    const one: Alike = { kind, owner, pass: passOf(entry) }
    const key = JSON.stringify(one)
    this.alike.set(id, this.#known.get(key) ?? one)
    if (!this.#known.has(key)) this.#known.set(key, one)
    for (const role of rolesOfEntry(entry)) this.roles.add(role)
    if (schema !== '' && one.pass === 'main') this.owners.set(schema, (this.owners.get(schema) ?? new Set()).add(owner))
    return kind === 'EXTENSION'
  }
}

/** As `_tocEntryRestorePass` of pg_backup_archiver.c. */
function passOf({ kind, name }: PassingEntry): Alike['pass'] {
  if (/\bACL\b/.test(kind)) return 'privileges'
  const late = /^(?:EVENT TRIGGER|MATERIALIZED VIEW DATA|STATISTICS DATA)$/.test(kind)
  return late || (/^(?:COMMENT|SECURITY LABEL)$/.test(kind) && name.startsWith('EVENT TRIGGER ')) ? 'last' : 'main'
}

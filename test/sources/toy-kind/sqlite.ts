import { createReadStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { LifeboatError } from '../../../src/error.ts'
import { factsOf, sourceSize } from '../../../src/repository/snapshot.ts'
import { lost } from '../../../src/sources/loss.ts'
import type { Location, SourceContext, SourceKind, StoredSource } from '../../../src/sources/source-kind.ts'
import { BadSource, type Source, type SourceStream } from '../../../src/sources/source.ts'

/** A file of SQLite, `sqlite:/path`: one stream, as SQLite's own online backup copies it. */
export const sqlite: SourceKind<SqliteLocation> = {
  name: 'sqlite',
  recorded: 'sqlite',
  noun: 'volume',
  entryNoun: ['table', 'tables'],
  form: 'sqlite: and the path of a file',
  pattern: 'sqlite:PATH (a file of SQLite)',

  parse: (text) => (text.startsWith('sqlite:') ? { kind: 'sqlite', path: text.slice('sqlite:'.length) } : null),
  secrets: () => [],
  sources: (given, { sqlite: { without } = { without: [] } }, context) =>
    given.map(({ name, location }) => new SqliteSource(name, location.path, without, context)),
  target: ({ path }, { mode }, context) => ({
    name: path,
    where: path,
    replaces: mode !== 'empty' && mode !== 'create',
    require: (source) => void factsOf(source, facts),
    async restore({ source, read }) {
      if (mode === 'empty' && (await stat(path).catch(() => undefined))) throw new LifeboatError(`${path} is there already`, { status: 2 })
      const { entries, size } = sqlite.contents(source)
      await inFile({ source, read }, context, (copy) => copyFile(copy, path))
      return { target: path, mode, size, entries, restored: entries, errors: [] }
    },
    close: async () => undefined,
  }),

  contents: (source) => ({ entries: Object.keys(factsOf(source, facts).tables).length, size: sourceSize(source) }),
  async verify(stored, level, context) {
    const recorded = factsOf(stored.source, facts).tables
    const entries = Object.keys(recorded).length
    if (level === 'list') return { entries, problems: [] }
    const found = await inFile(stored, context, async (copy) => tablesOf(copy))
    const same = JSON.stringify(found) === JSON.stringify(recorded)
    return { entries, problems: same ? [] : [new BadSource(`${stored.source.name} does not have the tables that were recorded`)], versions: { sqlite: VERSION } }
  },
  describe: (source) => ({ tables: factsOf(source, facts).tables }),
  describeText: (details) => linesOf(details['tables'], (name, rows) => `  table ${name} of ${rows} rows`),
  remarks: () => ({}),
  compare: async (before, after) => ({ tables: differences(factsOf(before.source, facts).tables, factsOf(after.source, facts).tables) }),
  compareText: (details) => linesOf(details['tables'], (name, rows) => `  table ${name}: ${rows > 0 ? '+' : ''}${rows} rows`),
  losses: (before, now) => lost('bytes', sourceSize(before), sourceSize(now)),
  sizes: ({ streams }) => streams.map(({ size }) => ({ bytes: size })),
}

declare module '../../../src/sources/settings.ts' {
  interface BackupSettings {
    readonly sqlite?: SqliteSettings
  }
}

export interface SqliteSettings {
  /** Tables that are left out. */
  readonly without: readonly string[]
}

export interface SqliteLocation extends Location {
  kind: 'sqlite'
  path: string
}

const VERSION = process.versions.sqlite ?? 'unknown'
const rowsByTable = z.record(z.string(), z.int())
const facts = z.object({ tables: rowsByTable })

class SqliteSource implements Source {
  readonly kind = 'sqlite'
  readonly name: string
  readonly #path: string
  readonly #without: readonly string[]
  readonly #context: SourceContext
  #copy = ''
  #tables: z.infer<typeof rowsByTable> = {}

  constructor(name: string, path: string, without: readonly string[], context: SourceContext) {
    this.name = name
    this.#path = path
    this.#without = without
    this.#context = context
  }

  async open(): Promise<void> {
    this.#copy = path.join(await folderIn(this.#context), 'copy')
    const database = new DatabaseSync(this.#path, { readOnly: true })
    await backup(database, this.#copy)
    database.close()
    const copy = new DatabaseSync(this.#copy)
    for (const table of this.#without) copy.exec(`DROP TABLE "${table}"`)
    copy.close()
    this.#tables = tablesOf(this.#copy)
  }

  async *streams(): AsyncGenerator<SourceStream> {
    yield { name: `${this.name}.sqlite`, format: 'sqlite', bytes: createReadStream(this.#copy) }
  }

  facts() {
    return { tables: this.#tables }
  }

  async close(): Promise<void> {
    if (this.#copy !== '') await rm(path.dirname(this.#copy), { recursive: true, force: true })
  }
}

async function folderIn({ temporary }: SourceContext): Promise<string> {
  await mkdir(temporary, { recursive: true })
  return mkdtemp(path.join(temporary, 'sqlite-'))
}

/** Works with a file that has the bytes of a recorded source. */
async function inFile<T>({ source, read }: StoredSource, context: SourceContext, work: (file: string) => Promise<T>): Promise<T> {
  const folder = await folderIn(context)
  try {
    const file = path.join(folder, 'copy')
    await writeFile(file, read(source.streams[0]!))
    return await work(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function tablesOf(file: string): Record<string, number> {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all().map(({ name }) => String(name))
    return Object.fromEntries(names.map((name) => [name, Number(database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get()!['rows'])]))
  } finally {
    database.close()
  }
}

function differences(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, rows]) => [name, rows - (before[name] ?? 0)]))
}

function linesOf(tables: unknown, line: (name: string, rows: number) => string): string[] {
  return Object.entries(rowsByTable.parse(tables)).map(([name, rows]) => line(name, rows))
}

// npm run bench -- [--rounds 5] [--only mixed,small,tables,incompressible] [--megabytes 1000] [--folder DIR] [--lifeboat dist/cli.js] [--write]
// Backs up and restores the same databases with several programs in turn and prints a report; docs/benchmarks.md says what it means.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { newIdentity } from '../src/repository/keys.ts'
import { clientDirectory } from '../test/support/client-programs.ts'
import { changeDataset, loadDataset, loadIncompressible, loadSmall, loadTables } from '../test/support/dataset.ts'
import { clientEnvironment, type Server, startServer } from '../test/support/postgres-server.ts'
import { machine, versionOf } from './machine.ts'
import { bytesIn, measure } from './measure.ts'
import { emptyStore, type Program, programs, restores } from './programs.ts'
import { report, type Sample, Samples, type Scenario } from './report.ts'

const major = 17
const checkout = path.join(import.meta.dirname, '..')
const options = read()
const work = mkdtempSync(path.join(options.folder, 'lifeboat-bench-'))
const store = path.join(work, 'store')
const kept = (program: Program): string => path.join(work, `kept ${program.name.replaceAll('/', '-')}`)

const { identity } = await newIdentity()
const backups = programs({ lifeboat: options.lifeboat, restic: restic(), encryptionKey: identity })
const samples = new Samples()
const [loadBefore = 0] = os.loadavg()
let server: Server | undefined
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping = true
    void cleanUp().then(() => process.exit(1))
  })
}
try {
  // Autovacuum would run beside whatever is measured next.
  server = await startServer(major, { settings: { shared_buffers: '256MB', max_wal_size: '4GB', autovacuum: 'off', max_locks_per_transaction: '2000' } })
  await load(server)
  for (let round = 1; round <= options.rounds; round++) await oneRound(server, round)
  publish(report(samples, { machine: machine(work, versions(server), loadBefore), megabytes: options.megabytes, rounds: options.rounds }))
} catch (error) {
  if (!stopping) throw error
} finally {
  await cleanUp()
}

async function load(server: Server): Promise<void> {
  const { only, megabytes } = options
  const make = async (name: string, fill: () => Promise<void>) => {
    tell(`making the database ${name}`)
    await server.createDatabase(name)
    await fill()
  }
  if (only.includes('small')) await make('small', () => loadSmall(server, 'small'))
  if (only.includes('tables')) await make('tables', () => loadTables(server, 'tables', 50_000))
  if (only.includes('incompressible')) await make('incompressible', () => loadIncompressible(server, 'incompressible', Math.ceil(megabytes * 0.3)))
  if (!only.includes('mixed')) return
  await make('mixed', () => loadDataset(server, 'mixed', { megabytes }))
  tell('making the database changed')
  await server.sql('CREATE DATABASE changed TEMPLATE mixed')
  await changeDataset(server, 'changed')
}

async function oneRound(server: Server, round: number): Promise<void> {
  const { only } = options
  const inTurn = async (scenario: Scenario, run: (program: Program) => Promise<Sample>, among: Program[] = backups) => {
    for (const program of among) {
      const sample = await run(program)
      samples.add(scenario, program.name, sample)
      tell(`round ${round}, ${scenario}, ${program.name}: ${sample.seconds.toFixed(2)} s, ${(sample.stored / 1e6).toFixed(1)} MB stored, ${(sample.added / 1e6).toFixed(2)} MB added`)
    }
  }
  if (only.includes('small')) await inTurn('small', (program) => firstBackup(program, 'small'))
  // Of the others pg_dump is all that differs.
  if (only.includes('tables')) await inTurn('tables', (program) => firstBackup(program, 'tables'), backups.filter(({ name }) => ['pg_dump >/dev/null', 'Lifeboat'].includes(name)))
  if (only.includes('incompressible')) {
    await inTurn('incompressible', (program) => firstBackup(program, 'incompressible'))
    await inTurn('restore incompressible', (program) => restore(server, program), restores(backups))
  }
  if (only.includes('mixed')) {
    await inTurn('first', (program) => firstBackup(program, 'mixed'))
    const second = backups.filter((program) => program.stored === null || !program.forgets)
    await inTurn('unchanged', (program) => secondBackup(program, 'mixed'), second)
    await inTurn('changed', (program) => secondBackup(program, 'changed'), second)
    await inTurn('restore', (program) => restore(server, program), restores(backups))
  }
}

/** Into an empty store, which is kept. */
async function firstBackup(program: Program, database: string): Promise<Sample> {
  emptyStore(program, store)
  const sample = await run(program, database, store)
  rmSync(kept(program), { recursive: true, force: true })
  renameSync(store, kept(program))
  return sample
}

/** Into a copy of the store that the first backup made; in the same place, because borg checks the place. */
async function secondBackup(program: Program, database: string): Promise<Sample> {
  rmSync(store, { recursive: true, force: true })
  execFileSync('cp', ['-a', kept(program), store])
  return run(program, database, store)
}

async function restore(server: Server, program: Program): Promise<Sample> {
  await server.sql('CHECKPOINT')
  const sample = await run(program, 'postgres', kept(program.of!))
  await server.sql('DROP DATABASE restored WITH (FORCE)')
  return sample
}

/** Runs a program on its store. Nothing is on its way to the disk when it starts, and the database is in the page cache of all alike. */
async function run(program: Program, database: string, folder: string): Promise<Sample> {
  execFileSync('sync')
  const measured = program.stored === null ? undefined : path.join(folder, program.stored)
  const size = () => (measured !== undefined && existsSync(measured) ? bytesIn(measured) : 0)
  const before = size()
  const PATH = `${clientDirectory(major)}:${process.env['PATH']}`
  const environment = { ...process.env, ...clientEnvironment(server!, database), PATH, ...program.environment?.(folder) }
  const measurement = await measure(program.command(folder), environment, work)
  const stored = size()
  return { ...measurement, stored, added: stored - before }
}

function read() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', default: 'mixed,small,tables,incompressible' },
      megabytes: { type: 'string', default: '1000' },
      folder: { type: 'string', default: os.tmpdir() },
      lifeboat: { type: 'string', default: path.join(checkout, 'dist/cli.js') },
      write: { type: 'boolean', default: false },
    },
  })
  const number = (name: 'rounds' | 'megabytes') => {
    const value = Number(values[name])
    if (!(value > 0)) throw new Error(`--${name} ${values[name]} is not a number above 0`)
    return value
  }
  const only = values.only.split(',')
  const strange = only.find((name) => !['mixed', 'small', 'tables', 'incompressible'].includes(name))
  if (strange !== undefined) throw new Error(`--only ${strange}: there are mixed, small, tables and incompressible`)
  if (!existsSync(values.lifeboat)) throw new Error(`${values.lifeboat} is missing: run "npm run build"`)
  return { ...values, only, rounds: number('rounds'), megabytes: number('megabytes'), lifeboat: path.resolve(values.lifeboat) }
}

/** The one that scripts/setup.sh fetched where the system's is old. */
function restic(): string {
  const fetched = path.join(checkout, '.cache/restic/usr/bin/restic')
  return existsSync(fetched) ? fetched : 'restic'
}

function versions(server: Server): string[] {
  return [`PostgreSQL server ${server.major}`, ...[path.join(clientDirectory(major), 'pg_dump'), restic(), 'borg', 'gzip'].map(versionOf)]
}

function publish(text: string): void {
  console.log(text)
  if (!options.write) return
  const page = path.join(checkout, 'docs/benchmarks.md')
  const [start, end] = ['<!-- figures: npm run bench -- --write -->\n', '<!-- end of figures -->']
  const [before, rest] = readFileSync(page, 'utf8').split(start)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${page} has no place for figures between ${start.trim()} and ${end}`)
  writeFileSync(page, `${before}${start}\n${text}\n${end}${after}`)
}

async function cleanUp(): Promise<void> {
  await server?.stop()
  rmSync(work, { recursive: true, force: true })
}

function tell(text: string): void {
  console.error(text)
}

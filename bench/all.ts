// npm run bench:all -- [--rounds N] [--minutes N] [--cores N] [--only TABLE,…] [--again] [--list]: measures everything, a table after the other, and writes the figures and the page.
// It can be stopped: tables that were measured with this version of the program are left out the next time, unless with --again. With --minutes, so are those that would not end
// in time, and it ends then; --list tells how long each took. --cores holds everything, the servers too, to so many cores.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './harness.ts'
import { programVersion } from './machine.ts'
import { type ResultsFile, resultsOf } from './results.ts'
import { type TableName, tables } from './tables.ts'

/** The most important first. Those that are not here take too long, or need root: their own commands measure them. */
const order: readonly TableName[] = [
  'shop', 'pgbench', 'restore', 'restore-table', 'streams', 'files-large', 'files-small', 'files-source', 's3', 'small', 'start', 'step', 'incompressible', 'drill', 'many-tables', 'files-bucket',
  'counting', 'levels', 's3-start', 's3-list', 'list', 'sets', 'prune', 's3-prune', 'drill-tables', 'artifact-requests', 'artifacts', 'artifact-storage',
]
const root = path.join(import.meta.dirname, '..')
const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' }, minutes: { type: 'string', default: 'Infinity' }, cores: { type: 'string' }, only: { type: 'string' },
    again: { type: 'boolean', default: false }, list: { type: 'boolean', default: false },
  },
})
const cores = Number(values.cores ?? os.availableParallelism())
if (!(cores >= 1 && cores <= os.availableParallelism())) throw new Error(`--cores ${values.cores}: this machine has ${os.availableParallelism()}`)
const only = values.only?.split(',')
const wanted = order.filter((table) => only?.includes(table) ?? true)
const lastOf = (table: TableName): ResultsFile | undefined => resultsOf(table).find(({ file }) => file.cores === cores)?.file
if (values.list) {
  for (const table of wanted) {
    const last = lastOf(table)
    console.log(`${table}: ${last?.took ? `${Math.ceil(last.took)} s` : 'time unknown'}, ${last ? `${last.date} at ${last.version}` : 'never measured'}`)
  }
} else measureAll()

function measureAll(): void {
  const [ends, version, failed] = [performance.now() + Number(values.minutes) * 60_000, programVersion(), [] as string[]]
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-all-'))
  try {
    const lifeboat = build(folder)
    for (const table of wanted) {
      const [last, left] = [lastOf(table), (ends - performance.now()) / 1000]
      if (!values.again && last?.version === version && !version.endsWith('+')) console.error(`${table}: measured already, with ${version}`)
      else if (left <= 0 || (last?.took ?? 0) > left) console.error(`${table}: no time left`)
      else if (!measured(table, lifeboat, left)) failed.push(table)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (failed.length > 0) throw new Error(`not measured, see above: ${failed.join(', ')}`)
}

/** By the table's own command, without what prepares the machine. */
function measured(table: TableName, lifeboat: string, seconds: number): boolean {
  const [, name = '', given = ''] = /^npm run (\S+)(?: -- (.*))?$/.exec(tables[table].command) ?? []
  const script = path.join(root, /node (bench\/\S+)/.exec(scripts[name] ?? '')![1]!)
  const held = cores < os.availableParallelism() ? ['taskset', '--cpu-list', `0-${cores - 1}`] : []
  const rounds = values.rounds === undefined ? [] : ['--rounds', values.rounds]
  const [program, ...rest] = [...held, process.execPath, script, ...given.split(' ').filter(Boolean), ...rounds, '--write', '--lifeboat', lifeboat]
  const { status } = spawnSync(program, rest, { stdio: 'inherit', ...(seconds < Infinity && { timeout: Math.ceil(seconds * 1000) }) })
  return status === 0
}

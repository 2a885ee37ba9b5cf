// npm run bench:all -- [--rounds 1] [--minutes 25] [--cores 2] [--only TABLE,…] [--again] [--list]: measures everything, a table after the other, and writes the figures and the page.
// It can be stopped: tables that were measured with this version of the program are left out the next time, unless with --again. With --minutes, so are those that would not
// end in time, as far as is known; --list tells how long each took. --cores holds everything, the servers too, to so many cores.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './harness.ts'
import { programVersion } from './machine.ts'
import { type ResultsFile, resultsOf } from './results.ts'
import type { TableName } from './tables.ts'

/** The most important first. Tables without a place here take too long, or need root: their own commands measure them. */
const scripts: readonly [script: string, tables: readonly TableName[]][] = [
  ['databases', ['shop', 'pgbench', 'small', 'incompressible', 'many-tables']],
  ['volumes', ['files-small', 'files-large', 'files-source', 'files-bucket']],
  ['s3', ['s3', 's3-start', 's3-list', 's3-prune']],
  ['restore', ['restore']],
  ['streams', ['streams']],
  ['drill', ['drill', 'drill-tables']],
  ['list', ['list']],
  ['step', ['step']],
  ['sets', ['sets']],
  ['levels', ['levels']],
  ['scale', ['prune']],
  ['counting', ['counting']],
  ['artifacts', ['artifacts', 'artifact-requests', 'artifact-storage']],
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' }, minutes: { type: 'string', default: 'Infinity' }, cores: { type: 'string' }, only: { type: 'string' },
    again: { type: 'boolean', default: false }, list: { type: 'boolean', default: false },
  },
})
const cores = Number(values.cores ?? os.availableParallelism())
if (!(cores >= 1 && cores <= os.availableParallelism())) throw new Error(`--cores ${values.cores}: this machine has ${os.availableParallelism()}`)
const [ends, version, only] = [performance.now() + Number(values.minutes) * 60_000, programVersion(), values.only?.split(',')]
const lastOf = (table: string): ResultsFile | undefined => resultsOf(table).find(({ file }) => file.cores === cores)?.file
const wanted = scripts.flatMap(([script, tables]) => tables.map((table) => ({ script, table }))).filter(({ table }) => only?.includes(table) ?? true)

if (values.list) {
  for (const { script, table } of wanted) {
    const last = lastOf(table)
    console.log(`${table} (bench/${script}.ts): ${last?.took ? `${Math.ceil(last.took)} s` : 'time unknown'}, ${last ? `${last.date} at ${last.version}` : 'never measured'}`)
  }
} else {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-all-'))
  const failed: string[] = []
  try {
    const lifeboat = build(folder)
    for (const { script, table } of wanted) {
      const last = lastOf(table)
      const left = (ends - performance.now()) / 1000
      if (!values.again && last?.version === version && !version.endsWith('+')) console.error(`${table}: measured already, with ${version}`)
      else if ((last?.took ?? 0) > left || left <= 0) console.error(`${table}: no time left`)
      else {
        const held = cores < os.availableParallelism() ? ['taskset', '--cpu-list', `0-${cores - 1}`] : []
        const [program, ...given] = [...held, process.execPath, path.join(import.meta.dirname, `${script}.ts`), '--only', table, '--write', '--lifeboat', lifeboat]
        const { status } = spawnSync(program, [...given, ...(values.rounds === undefined ? [] : ['--rounds', values.rounds])], { stdio: 'inherit' })
        if (status !== 0) failed.push(table)
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (failed.length > 0) throw new Error(`not measured, see above: ${failed.join(', ')}`)
}

// The shared parts of all benchmarks: options, a folder, the built program, the record of each table, and the end.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { newIdentity } from '../src/repository/keys.ts'
import { clientDirectory } from '../test/support/client-programs.ts'
import { type Server, startServer } from '../test/support/postgres-server.ts'
import { machine, programVersion } from './machine.ts'
import type { Measurement } from './measure.ts'
import { tableText, writePage } from './page.ts'
import { folder as resultsFolder, type Figure, Results, type Sample, writeResults } from './results.ts'
import type { TableName } from './tables.ts'

const checkout = path.join(import.meta.dirname, '..')

/** PostgreSQL's major version in all benchmarks. */
export const MAJOR = 17

export interface Bench {
  readonly rounds: number
  readonly megabytes: number
  /** How many tables they are in, where a benchmark has several equal ones. */
  readonly tables: number
  /** Is removed at the end. */
  readonly work: string
  /** The program for terminals, cli.js. */
  readonly lifeboat: string
  readonly identity: string
  /** Variables with the client programs in the path, and the key. */
  readonly environment: NodeJS.ProcessEnv
  /** A server for data; it is stopped at the end. */
  server: (settings?: Record<string, string>) => Promise<Server>
  /** Measures a table, if it is asked for, and keeps the figures. `versions`: of the other programs. */
  table: (name: TableName, work: (add: Add) => Promise<void>, versions?: readonly string[]) => Promise<void>
}

/** Records a run. */
export type Add = (scenario: string, program: string, figures: Partial<Record<Figure, number>>) => void

/**
 * Runs a benchmark: `node bench/NAME.ts [--only TABLE,…] [--rounds N] [--megabytes N] [--tables N] [--folder DIR] [--lifeboat cli.js] [--write]`. It prints each of its tables;
 * with `--write` the figures go to docs/benchmarks, and the page is made again.
 */
export async function bench(given: { rounds?: number; megabytes?: number; tables?: number }, work: (bench: Bench) => Promise<void>): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' }, rounds: { type: 'string', default: `${given.rounds ?? 3}` }, megabytes: { type: 'string', default: `${given.megabytes ?? 1000}` },
      tables: { type: 'string', default: `${given.tables ?? 1}` },
      folder: { type: 'string', default: os.tmpdir() }, lifeboat: { type: 'string' }, write: { type: 'boolean', default: false },
    },
  })
  const [rounds, megabytes, tables] = [Number(values.rounds), Number(values.megabytes), Number(values.tables)]
  if (!(rounds > 0 && megabytes > 0 && tables > 0)) throw new Error('--rounds, --megabytes and --tables are numbers above 0')
  const only = values.only?.split(',')
  const left = new Set(only)
  const folder = mkdtempSync(path.join(values.folder, 'lifeboat-bench-'))
  const servers: Server[] = []
  const close = async (): Promise<void> => {
    await Promise.all(servers.splice(0).map((server) => server.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close().finally(() => process.exit(1)))
  try {
    const lifeboat = values.lifeboat === undefined ? build(folder) : path.resolve(values.lifeboat)
    if (!existsSync(lifeboat)) throw new Error(`${lifeboat} is missing`)
    const { identity } = await newIdentity()
    const environment = { ...process.env, PATH: `${clientDirectory(MAJOR)}:${process.env['PATH']}`, TMPDIR: folder, LIFEBOAT_ENCRYPTION_KEY: identity }
    const server = async (settings: Record<string, string> = {}): Promise<Server> => {
      // Autovacuum would run beside whatever is measured next.
      const started = await startServer(MAJOR, { settings: { shared_buffers: '256MB', max_wal_size: '4GB', autovacuum: 'off', ...settings } })
      servers.push(started)
      return started
    }
    const table = async (name: TableName, measureTable: (add: Add) => Promise<void>, versions: readonly string[] = []): Promise<void> => {
      if (only && !left.delete(name)) return
      const [samples, began, load] = [[] as Sample[], performance.now(), round(os.loadavg()[0]!)]
      await measureTable((scenario, program, figures) => {
        const sample = { scenario, program, ...Object.fromEntries(Object.entries(figures).map(([figure, value]) => [figure, round(value)])) }
        samples.push(sample)
        console.error(`${name}: ${JSON.stringify(sample)}; load ${os.loadavg()[0]!.toFixed(1)}`)
      })
      const took = round((performance.now() - began) / 1000)
      const file = { table: name, date: new Date().toISOString().slice(0, 10), version: programVersion(), cores: os.availableParallelism(), machine: machine(folder), versions: [...versions], load, took, samples }
      console.log(tableText(name, new Results(file)))
      if (!values.write) return
      mkdirSync(resultsFolder, { recursive: true })
      writeResults(file)
      writePage()
    }
    await work({ rounds, megabytes, tables, work: folder, lifeboat, identity, environment, server, table })
    if (left.size > 0) throw new Error(`--only ${[...left].join(',')}: no such table in this benchmark`)
  } finally {
    await close()
  }
}

/** Builds the program of this checkout. */
export function build(folder: string): string {
  execFileSync(process.execPath, [path.join(checkout, 'scripts/build.ts'), path.join(folder, 'dist')], { stdio: ['ignore', 'ignore', 'inherit'] })
  return path.join(folder, 'dist/cli.js')
}

/** The figures of a run of a program. */
export function cost({ seconds, cpuSeconds, peakProcess }: Measurement): Pick<Record<Figure, number>, 'seconds' | 'cpuSeconds' | 'peak'> {
  return { seconds, cpuSeconds, peak: peakProcess }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}

import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { type Ceph, startCeph } from '../test/support/ceph.ts'
import { clientDirectory } from '../test/support/client-programs.ts'
import { loadDataset } from '../test/support/dataset.ts'
import { clientEnvironment, type Server, startServer } from '../test/support/postgres-server.ts'
import { newBucket } from '../test/support/s3-place.ts'
import { type Delay, startDelay } from './delay.ts'
import { type Measurement, measure } from './measure.ts'
import { addressOf, credentialsOf, portOf, temporaryFolder, type Where } from './s3-scale.ts'
import { median, ratios } from './statistics.ts'

const MAJOR = 17
/** Milliseconds that each request waits in the runs with a delay. */
const LATENCY = 30

interface Round {
  server: Server
  ceph: Ceph
  delay: Delay
  bucket: string
  folder: string
  lifeboat: string
  environment: NodeJS.ProcessEnv
}

interface Run {
  name: string
  command: (round: Round) => readonly string[]
  environment?: (round: Round) => NodeJS.ProcessEnv
  prepare?: (round: Round) => void
}

const backup = (name: string, destination: (round: Round) => string): Run => ({
  name,
  command: (round) => [process.execPath, round.lifeboat, 'backup', '--destination', destination(round), '--json'],
  environment: () => ({ DATABASE_URL: 'app=postgres:///' }),
})
/** All of it read, checked, and parsed by pg_restore; restic's dump goes to /dev/null. */
const readBack = (name: string, destination: (round: Round) => string): Run => ({
  name,
  command: (round) => [process.execPath, round.lifeboat, 'restore', '--verify-only', 'true', '--destination', destination(round), '--json'],
})
const restic = (name: string, endpoint: (round: Round) => string, prefix: string, script: string): Run => ({
  name,
  command: () => ['bash', '-o', 'pipefail', '-c', script, 'bash', resticProgram()],
  environment: (round) => resticEnvironment(round, endpoint(round), prefix),
})
const direct = ({ ceph }: Round): string => ceph.endpoint
const late = ({ delay }: Round): string => `http://127.0.0.1:${delay.port}`
const toFile = ({ folder }: Round): string => `file:${path.join(folder, 'store')}`
const toS3 = (round: Round): string => addressOf(direct(round), round.bucket, 'lifeboat')
const toLateS3 = (round: Round): string => addressOf(late(round), round.bucket, 'lifeboat-late')

const resticBackup = 'pg_dump --format=custom --compress=0 | "$1" backup --quiet --stdin --stdin-filename app.dump'
const resticDump = '"$1" dump latest app.dump >/dev/null'
const resticParsed = '"$1" dump latest app.dump | pg_restore -f /dev/null'

const runs: Run[] = [
  backup('backup to a folder', toFile),
  backup('backup to S3', toS3),
  { ...restic('restic backup to S3', direct, 'restic', resticBackup), prepare: (round) => initialise(round, direct(round), 'restic') },
  backup('backup to S3, late', toLateS3),
  { ...restic('restic backup to S3, late', late, 'restic-late', resticBackup), prepare: (round) => initialise(round, direct(round), 'restic-late') },
  readBack('read back from a folder', toFile),
  readBack('read back from S3', toS3),
  restic('restic dump from S3', direct, 'restic', resticDump),
  restic('restic dump from S3, parsed as well', direct, 'restic', resticParsed),
  // The same objects, of which only the way is longer.
  readBack('read back from S3, late', (round) => addressOf(late(round), round.bucket, 'lifeboat')),
  restic('restic dump from S3, late', late, 'restic', resticDump),
]

/** First backups of one database, and reading them back, in turn; each round on a new gateway. */
export async function speed({ lifeboat, rounds, tell }: Where, megabytes: number): Promise<void> {
  const samples = new Map<string, Measurement[]>()
  const server = await startServer(MAJOR, { settings: { shared_buffers: '256MB', max_wal_size: '4GB', autovacuum: 'off' } })
  try {
    await server.createDatabase('mixed')
    await loadDataset(server, 'mixed', { megabytes })
    await server.sql('CHECKPOINT')
    for (let round = 1; round <= rounds; round++) await oneRound(server, lifeboat, (name, measured) => {
      samples.set(name, [...(samples.get(name) ?? []), measured])
      console.error(`round ${round}, ${name}: ${measured.seconds.toFixed(2)} s, ${measured.cpuSeconds.toFixed(2)} s CPU`)
    })
  } finally {
    await server.stop()
  }
  for (const line of report(samples)) tell(line)
}

async function oneRound(server: Server, lifeboat: string, onSample: (name: string, measured: Measurement) => void): Promise<void> {
  const folder = temporaryFolder('bench-s3-round-')
  const ceph = await startCeph()
  const delay = await startDelay(portOf(ceph), LATENCY)
  const { identity } = await newIdentity()
  const environment = { ...process.env, ...clientEnvironment(server, 'mixed'), ...credentialsOf(ceph), PATH: `${clientDirectory(MAJOR)}:${process.env['PATH']}`, LIFEBOAT_ENCRYPTION_KEY: identity }
  const round: Round = { server, ceph, delay, bucket: await newBucket(ceph), folder, lifeboat, environment }
  try {
    for (const { name, command, environment: more, prepare } of runs) {
      prepare?.(round)
      execFileSync('sync')
      onSample(name, await measure(command(round), { ...environment, ...more?.(round) }, folder))
    }
  } finally {
    await delay.stop()
    await ceph.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function resticEnvironment({ folder, bucket }: Round, endpoint: string, prefix: string): NodeJS.ProcessEnv {
  return { RESTIC_REPOSITORY: `s3:${endpoint}/${bucket}/${prefix}`, RESTIC_CACHE_DIR: path.join(folder, `cache-${prefix}`), RESTIC_PASSWORD: 'benchmark' }
}

function initialise(round: Round, endpoint: string, prefix: string): void {
  execFileSync(resticProgram(), ['init', '--quiet'], { env: { ...round.environment, ...resticEnvironment(round, endpoint, prefix) }, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The one that scripts/setup.sh fetched where the system's is old. */
function resticProgram(): string {
  const fetched = path.join(import.meta.dirname, '../.cache/restic/usr/bin/restic')
  return existsSync(fetched) ? fetched : 'restic'
}

function report(samples: ReadonlyMap<string, readonly Measurement[]>): string[] {
  const of = (name: string, figure: keyof Measurement = 'seconds') => samples.get(name)!.map((sample) => sample[figure])
  const ratio = (name: string, other: string) => ratios(of(name), of(other))
  const peaks = [...samples.keys()].filter((name) => !name.startsWith('restic')).flatMap((name) => of(name, 'peakProcess')).map((bytes) => bytes / 2 ** 20)
  const targets: [what: string, bound: number, values: number[], atLeast?: true][] = [
    ['first backup to S3, time against a folder', 1.4, ratio('backup to S3', 'backup to a folder')],
    ['first backup to S3, time against restic to the same', 0.8, ratio('backup to S3', 'restic backup to S3')],
    ['reading back from S3, how many times as fast as restic\'s dump', 1.3, ratio('restic dump from S3', 'read back from S3'), true],
    ['reading back from S3, how many times as fast as restic\'s dump, parsed as well', 1.3, ratio('restic dump from S3, parsed as well', 'read back from S3'), true],
    [`first backup with ${LATENCY} ms more a request, time against without`, 1.5, ratio('backup to S3, late', 'backup to S3')],
    [`reading back with ${LATENCY} ms more a request, time against without`, 1.5, ratio('read back from S3, late', 'read back from S3')],
    ['peak memory of Lifeboat, MiB, the worst of all runs', 300, [Math.max(...peaks)]],
  ]
  return [
    '| run | seconds (least–most) | CPU s | peak MiB |', '|---|--:|--:|--:|',
    ...[...samples.keys()].map((name) => `| ${name} | ${range(of(name))} | ${median(of(name, 'cpuSeconds')).toFixed(2)} | ${(Math.max(...of(name, 'peakProcess')) / 2 ** 20).toFixed(0)} |`),
    '', '| target | bound | measured (least–most) | |', '|---|--:|--:|---|',
    ...targets.map(([what, bound, values, atLeast]) => {
      const off = atLeast ? bound / median(values) - 1 : median(values) / bound - 1
      return `| ${what} | ${atLeast ? 'at least' : 'at most'} ${bound} | ${range(values)} | ${off <= 0 ? 'met' : `missed by ${(off * 100).toFixed(0)} %`} |`
    }),
  ]
}

function range(values: readonly number[]): string {
  return `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`
}

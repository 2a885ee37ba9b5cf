import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import os from 'node:os'
import path from 'node:path'
import { type Ceph, startCeph } from '../test/support/ceph.ts'
import { clientDirectory } from '../test/support/client-programs.ts'
import { loadSmall } from '../test/support/dataset.ts'
import { clientEnvironment, startServer } from '../test/support/postgres-server.ts'
import { destinationOf, newBucket, openBucket } from '../test/support/s3-place.ts'
import { startDelay } from './delay.ts'
import { type Measurement, measure } from './measure.ts'
import { fillWithChunks, fillWithSnapshots, IDENTITY } from './snapshots.ts'
import { startStandIn } from './stand-in.ts'
import { median } from './statistics.ts'

const MAJOR = 17

export interface Where {
  /** Lifeboat's cli.js. */
  lifeboat: string
  /** Runs of each, of which the median is told. */
  rounds: number
  tell: (line: string) => void
}

/** The destination of a bucket of a service on loopback; the secret is in the environment. */
export function addressOf(endpoint: string, bucket: string, prefix = ''): string {
  return `s3://${bucket}/${prefix}?endpoint=${endpoint}&path-style=true`
}

export function credentialsOf({ accessKey, secretKey }: Pick<Ceph, 'accessKey' | 'secretKey'>): NodeJS.ProcessEnv {
  return { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_REGION: 'us-east-1' }
}

/** A backup of a thousand rows into a store of many snapshots: what happens before pg_dump is started. */
export async function starting({ lifeboat, rounds, tell }: Where, { snapshots, chunks, own }: { snapshots: number; chunks: number; own: number }): Promise<void> {
  const folder = temporaryFolder('bench-s3-start-')
  const server = await startServer(MAJOR)
  const ceph = await startCeph()
  try {
    await server.createDatabase('small')
    await loadSmall(server, 'small')
    const bucket = await newBucket(ceph)
    const store = openBucket(destinationOf(ceph, bucket))
    await fillWithSnapshots(store, { snapshots, chunks, own })
    await store.close()
    for (const delay of [0, 30]) {
      const proxy = await startDelay(portOf(ceph), delay)
      const runs: (Measurement & { before: number; requests: string[] })[] = []
      for (let round = 0; round < rounds; round++) {
        // Its name says that pg_dump has not been started yet: it runs after all that is done with the store.
        const moment = path.join(folder, 'moment')
        const environment = {
          ...process.env, ...clientEnvironment(server, 'small'), ...credentialsOf(ceph), PATH: `${clientDirectory(MAJOR)}:${process.env['PATH']}`,
          LIFEBOAT_ENCRYPTION_KEY: IDENTITY, DATABASE_URL: 'app=postgres:///', BENCH_MOMENT: moment,
        }
        await proxy.seen()
        const started = Date.now()
        const command = [process.execPath, lifeboat, 'backup', '--set', 'app', '--destination', addressOf(`http://127.0.0.1:${proxy.port}`, bucket), '--pre-command', 'date +%s%3N >"$BENCH_MOMENT"', '--json']
        const measured = await measure(command, environment, folder)
        const dump = Number(readFileSync(moment, 'utf8'))
        const requests = (await proxy.seen()).filter(({ time }) => time <= dump).map(({ request }) => request)
        const looked = requests.find((request) => request.includes('chunks'))
        if (looked !== undefined) throw new Error(`chunks were looked at before the dump began: ${looked}`)
        runs.push({ ...measured, before: (dump - started) / 1000, requests })
      }
      await proxy.stop()
      const before = runs.map((run) => run.before)
      tell(`start, ${snapshots} snapshots of ${chunks} chunks, ${own} of them new${delay > 0 ? `, ${delay} ms a request` : ''}: ${shown(before)} s and ${Math.max(...runs.map(({ requests }) => requests.length))} requests before the dump (whole run ${median(runs.map(({ seconds }) => seconds)).toFixed(2)} s, ${mebibytes(runs)} MiB)`)
      if (delay === 0) for (const request of runs[0]!.requests) tell(`    ${request.slice(0, 160)}`)
    }
  } finally {
    await ceph.stop()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

export async function listing({ lifeboat, rounds, tell }: Where, { snapshots, chunks }: { snapshots: number; chunks: number }): Promise<void> {
  const folder = temporaryFolder('bench-s3-list-')
  const ceph = await startCeph()
  try {
    const bucket = await newBucket(ceph)
    const store = openBucket(destinationOf(ceph, bucket))
    await fillWithSnapshots(store, { snapshots, chunks })
    await store.close()
    for (const delay of [0, 30]) {
      const proxy = await startDelay(portOf(ceph), delay)
      const endpoint = delay === 0 ? ceph.endpoint : `http://127.0.0.1:${proxy.port}`
      const runs: Measurement[] = []
      for (let round = 0; round < rounds; round++) {
        runs.push(await measure([process.execPath, lifeboat, 'list', '--destination', addressOf(endpoint, bucket)], { ...process.env, ...credentialsOf(ceph), LIFEBOAT_ENCRYPTION_KEY: IDENTITY }, folder))
      }
      await proxy.stop()
      tell(`list, ${snapshots} snapshots of ${chunks} chunks${delay > 0 ? `, ${delay} ms a request` : ''}: ${shown(runs.map(({ seconds }) => seconds))} s, ${median(runs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2)} s CPU, ${mebibytes(runs)} MiB`)
    }
  } finally {
    await ceph.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** `prune --dry-run` of a store that is told page by page. */
export async function planning({ lifeboat, rounds, tell }: Where, { snapshots, chunks }: { snapshots: number; chunks: number }): Promise<void> {
  const folder = temporaryFolder('bench-s3-prune-')
  try {
    const [objects, names] = [path.join(folder, 'objects'), path.join(folder, 'keys')]
    const file = createWriteStream(names)
    await fillWithChunks(objects, { snapshots, chunks, until: Date.now(), onChunk: (key) => void file.write(`${key}\n`) })
    file.end()
    await finished(file)
    const service = await startStandIn(objects, names, 500_000)
    try {
      const runs: Measurement[] = []
      for (let round = 0; round < rounds; round++) {
        const command = [process.execPath, lifeboat, 'prune', '--dry-run', 'true', '--force', 'true', '--set', 'app', '--retention', 'daily=30 weekly=12 monthly=12 yearly=7', '--destination', addressOf(service.endpoint, 'bucket'), '--json']
        runs.push(await measure(command, { ...process.env, ...credentialsOf({ accessKey: 'any', secretKey: 'any' }), LIFEBOAT_ENCRYPTION_KEY: IDENTITY }, folder))
      }
      tell(`plan of a prune, ${snapshots} snapshots, ${chunks} chunks: ${shown(runs.map(({ seconds }) => seconds))} s, ${median(runs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2)} s CPU, ${mebibytes(runs)} MiB; requests of ${rounds} rounds: ${JSON.stringify(await service.asked())}`)
    } finally {
      await service.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A folder that is gone when this process ends. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), name))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Builds the program beside the one that is there. */
export function build(folder: string): string {
  execFileSync(process.execPath, [path.join(import.meta.dirname, '../scripts/build.ts'), path.join(folder, 'dist')], { stdio: ['ignore', 'ignore', 'inherit'] })
  return path.join(folder, 'dist/cli.js')
}

export function portOf({ endpoint }: Pick<Ceph, 'endpoint'>): number {
  return Number(new URL(endpoint).port)
}

function shown(seconds: readonly number[]): string {
  return `${median(seconds).toFixed(2)} (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)})`
}

function mebibytes(runs: readonly Measurement[]): string {
  return (Math.max(...runs.map(({ peakProcess }) => peakProcess)) / 2 ** 20).toFixed(0)
}

// npm run bench:s3 -- [--only s3,s3-start,s3-list,s3-prune] [--rounds 3] [--megabytes 1000] [--write]
// What a store in a bucket costs, on Ceph's gateway on loopback, beside the same in a folder, and beside restic.
import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { finished } from 'node:stream/promises'
import { type Ceph, startCeph } from '../test/support/ceph.ts'
import { clientDirectory } from '../test/support/client-programs.ts'
import { loadDataset, loadSmall } from '../test/support/dataset.ts'
import { clientEnvironment, type Server } from '../test/support/postgres-server.ts'
import { destinationOf, newBucket, openBucket } from '../test/support/s3-place.ts'
import { startDelay } from './delay.ts'
import { type Add, bench, cost, MAJOR } from './harness.ts'
import { versionOf } from './machine.ts'
import { measure } from './measure.ts'
import { restic } from './programs.ts'
import { addressOf, credentialsOf, portOf } from './s3-address.ts'
import { fillWithChunks, fillWithSnapshots, IDENTITY } from './snapshots.ts'
import { startStandIn } from './stand-in.ts'

/** Milliseconds that each request waits in the runs with a delay, in which requests are counted as well. */
const LATENCY = 30

await bench({}, async ({ rounds, megabytes, work, lifeboat, environment, server: start, table }) => {
  const versions = [`PostgreSQL server ${MAJOR}`, path.join(clientDirectory(MAJOR), 'pg_dump'), restic].map((one, index) => (index === 0 ? one : versionOf(one)))
  await table('s3', async (add) => {
    const server = await start()
    await server.createDatabase('shop')
    await loadDataset(server, 'shop', { megabytes })
    await server.sql('CHECKPOINT')
    for (let round = 1; round <= rounds; round++) await withCeph((ceph) => speed(server, ceph, add))
  }, versions)
  await table('s3-start', (add) => withCeph((ceph) => starting(ceph, add)))
  await table('s3-list', async (add) => {
    for (const chunks of [40, 600]) await withCeph((ceph) => listing(ceph, chunks, add))
  })
  await table('s3-prune', planning)

  /** First backups of one database, and reading them back, in turn. */
  async function speed(server: Server, ceph: Ceph, add: Add): Promise<void> {
    const folder = path.join(work, 'speed')
    mkdirSync(folder)
    const [proxy, bucket] = [await startDelay(portOf(ceph), LATENCY), await newBucket(ceph)]
    const variables = { ...environment, ...clientEnvironment(server, 'shop'), ...credentialsOf(ceph) }
    const late = `http://127.0.0.1:${proxy.port}`
    const resticAt = (endpoint: string, prefix: string): NodeJS.ProcessEnv =>
      ({ RESTIC_REPOSITORY: `s3:${endpoint}/${bucket}/${prefix}`, RESTIC_CACHE_DIR: path.join(folder, `cache-${prefix}`), RESTIC_PASSWORD: 'benchmark' })
    const run = async (scenario: string, program: string, command: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<void> => {
      execFileSync('sync')
      await proxy.seen()
      const figures = cost(await measure(command, { ...variables, ...more }, folder))
      const requests = (await proxy.seen()).length
      add(scenario, program, requests > 0 ? { ...figures, requests } : figures)
    }
    const backup = (program: string, destination: string): Promise<void> =>
      run('first backup', program, [process.execPath, lifeboat, 'backup', '--destination', destination, '--json'], { DATABASE_URL: 'app=postgres:///' })
    // All of it read, checked, and parsed by pg_restore.
    const readBack = (program: string, destination: string): Promise<void> =>
      run('reading back', program, [process.execPath, lifeboat, 'restore', '--verify-only', 'true', '--destination', destination, '--json'])
    const byRestic = (scenario: string, program: string, script: string, at: NodeJS.ProcessEnv): Promise<void> =>
      run(scenario, program, ['bash', '-o', 'pipefail', '-c', script, 'bash', restic], at)
    const resticBackup = async (program: string, at: NodeJS.ProcessEnv): Promise<void> => {
      execFileSync(restic, ['init', '--quiet'], { env: { ...variables, ...at }, stdio: ['ignore', 'ignore', 'inherit'] })
      await byRestic('first backup', program, 'pg_dump --format=custom --compress=0 | "$1" backup --quiet --stdin --stdin-filename app.dump', at)
    }
    try {
      const [near, far] = [resticAt(ceph.endpoint, 'restic'), resticAt(late, 'restic-late')]
      await backup('Lifeboat, a folder', `file:${path.join(folder, 'store')}`)
      await backup('Lifeboat', addressOf(ceph.endpoint, bucket, 'lifeboat'))
      await resticBackup('restic', near)
      await backup(`Lifeboat, ${LATENCY} ms`, addressOf(late, bucket, 'lifeboat-late'))
      await resticBackup(`restic, ${LATENCY} ms`, far)
      await readBack('Lifeboat, a folder', `file:${path.join(folder, 'store')}`)
      await readBack('Lifeboat', addressOf(ceph.endpoint, bucket, 'lifeboat'))
      await byRestic('reading back', 'restic', '"$1" dump latest app.dump >/dev/null', near)
      await byRestic('reading back', 'restic, parsed as well', '"$1" dump latest app.dump | pg_restore -f /dev/null', near)
      await readBack(`Lifeboat, ${LATENCY} ms`, addressOf(late, bucket, 'lifeboat'))
      await byRestic('reading back', `restic, ${LATENCY} ms`, '"$1" dump latest app.dump >/dev/null', resticAt(late, 'restic'))
    } finally {
      await proxy.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** A backup of a thousand rows into a store of 1,000 snapshots: what happens before pg_dump is started. */
  async function starting(ceph: Ceph, add: Add): Promise<void> {
    const server = await start()
    await server.createDatabase('small')
    await loadSmall(server, 'small')
    const bucket = await newBucket(ceph)
    const store = openBucket(destinationOf(ceph, bucket))
    await fillWithSnapshots(store, { snapshots: 1000, chunks: 2000, own: 200 })
    await store.close()
    for (const delay of [0, LATENCY]) {
      const proxy = await startDelay(portOf(ceph), delay)
      for (let round = 0; round < rounds; round++) {
        // Holds the time at which pg_dump is about to be started: the command runs after all that is done with the store.
        const moment = path.join(work, 'moment')
        const variables = { ...environment, ...clientEnvironment(server, 'small'), ...credentialsOf(ceph), LIFEBOAT_ENCRYPTION_KEY: IDENTITY, DATABASE_URL: 'app=postgres:///', BENCH_MOMENT: moment }
        await proxy.seen()
        const started = Date.now()
        const destination = addressOf(`http://127.0.0.1:${proxy.port}`, bucket)
        const { cpuSeconds } = await measure([process.execPath, lifeboat, 'backup', '--set', 'app', '--destination', destination, '--pre-command', 'date +%s%3N >"$BENCH_MOMENT"', '--json'], variables, work)
        const dump = Number(readFileSync(moment, 'utf8'))
        const requests = (await proxy.seen()).filter(({ time }) => time <= dump).map(({ request }) => request)
        // But for those that the check of what is reused reads meanwhile, each asked for by its name.
        const looked = requests.find((request) => request.includes('chunks') && (request.startsWith('HEAD') || request.includes('prefix=')))
        if (looked !== undefined) throw new Error(`chunks were looked at before the dump began: ${looked}`)
        add('before the dump', delay === 0 ? 'Lifeboat' : `Lifeboat, ${delay} ms`, { seconds: (dump - started) / 1000, cpuSeconds, requests: requests.length })
      }
      await proxy.stop()
    }
  }

  async function listing(ceph: Ceph, chunks: number, add: Add): Promise<void> {
    const bucket = await newBucket(ceph)
    const store = openBucket(destinationOf(ceph, bucket))
    await fillWithSnapshots(store, { snapshots: 1000, chunks, newest: true })
    await store.close()
    for (const delay of [0, LATENCY]) {
      const proxy = await startDelay(portOf(ceph), delay)
      const endpoint = delay === 0 ? ceph.endpoint : `http://127.0.0.1:${proxy.port}`
      for (let round = 0; round < rounds; round++) {
        const figures = cost(await measure([process.execPath, lifeboat, 'list', '--destination', addressOf(endpoint, bucket)], { ...environment, ...credentialsOf(ceph), LIFEBOAT_ENCRYPTION_KEY: IDENTITY }, work))
        const requests = (await proxy.seen()).length
        add(`${chunks} chunks each`, delay === 0 ? 'Lifeboat' : `Lifeboat, ${delay} ms`, requests > 0 ? { ...figures, requests } : figures)
      }
      await proxy.stop()
    }
  }

  /** `prune --dry-run` of a store that is told page by page. */
  async function planning(add: Add): Promise<void> {
    const [objects, names] = [path.join(work, 'objects'), path.join(work, 'keys')]
    const file = createWriteStream(names)
    await fillWithChunks(objects, { snapshots: 10_000, chunks: 1_000_000, until: Date.now(), onChunk: (key) => void file.write(`${key}\n`) })
    file.end()
    await finished(file)
    const service = await startStandIn(objects, names, 500_000)
    try {
      const variables = { ...environment, ...credentialsOf({ accessKey: 'any', secretKey: 'any' }), LIFEBOAT_ENCRYPTION_KEY: IDENTITY }
      const command = [process.execPath, lifeboat, 'prune', '--dry-run', 'true', '--force', 'true', '--set', 'app', '--retention', 'daily=30 weekly=12 monthly=12 yearly=7', '--destination', addressOf(service.endpoint, 'bucket'), '--json']
      const asked = async (): Promise<number> => Object.values(await service.asked()).reduce((sum, one) => sum + one, 0)
      for (let round = 0; round < rounds; round++) {
        const before = await asked()
        const figures = cost(await measure(command, variables, work))
        add('plan', 'Lifeboat', { ...figures, requests: (await asked()) - before })
      }
    } finally {
      await service.stop()
    }
  }
})

async function withCeph(use: (ceph: Ceph) => Promise<void>): Promise<void> {
  const ceph = await startCeph()
  try {
    await use(ceph)
  } finally {
    await ceph.stop()
  }
}

// npm run demo: a database is backed up twice, verified, restored at both moments and compared, on this machine, with nothing left over.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { BackupResult } from '../src/commands/backup/result.ts'
import type { RestoreResult } from '../src/commands/restore/result.ts'
import type { VerifyResult } from '../src/commands/verify/result.ts'
import { formatBytes, formatRate, formatSeconds, formatShare } from '../src/report/format.ts'
import { installedMajor, clientDirectory } from '../test/support/client-programs.ts'
import { compareDatabases } from '../test/support/compare-databases.ts'
import { changeDataset, loadDataset } from '../test/support/dataset.ts'
import { type Server, startServer } from '../test/support/postgres-server.ts'

const checkout = path.join(import.meta.dirname, '..')
const cli = 'dist/cli.js'
const megabytes = 230
let server: Server | undefined
let running: ChildProcess | undefined
let interrupted = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stopEarly(signal))

try {
  await story()
} catch (error) {
  if (!interrupted) {
    process.exitCode = 1
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`)
  }
} finally {
  if (!interrupted) await cleanUp()
}

async function story(): Promise<void> {
  if (!existsSync(path.join(checkout, cli))) throw new Error(`${cli} is missing: run "npm run build"`)
  const begun = performance.now()
  const major = installedMajor()

  heading(`A PostgreSQL ${major} server of its own, with a web shop in it`)
  const shop = await startServer(major)
  server = shop
  // In the server's folder, which is removed with it even if this process is killed.
  const destination = `file:${path.join(shop.socketDirectory, 'store')}`
  await shop.createDatabase('shop')
  const load = await timed(() => loadDataset(shop, 'shop', { megabytes }))
  tell(`${await figuresOf(shop)}, made in ${formatSeconds(load.seconds)}`)

  heading('A key: whoever has it can read the backups, nobody else can')
  const key = (await lifeboat(['key', 'new'], {})).trim().split('\n').at(-1) ?? ''
  const environment = (database: string) => ({ LIFEBOAT_ENCRYPTION_KEY: key, DATABASE_URL: shop.url(database) })
  tell('an age identity; the commands below get it, and the database URL, by environment, never as an argument')

  heading('The first backup')
  const first = await lifeboatJson<BackupResult>(['backup', '--destination', destination, '--set', 'shop'], environment('shop'))
  tell(`${formatBytes(first.size)} dumped at ${formatRate(first.size, first.seconds)}, ${formatBytes(first.added)} stored (${formatShare(first.added, first.size)}), in ${formatSeconds(first.seconds)}`)
  await shop.sql('CREATE DATABASE shop_at_first TEMPLATE shop')

  heading('Some days of business: 5 % more rows, 1 % changed, 0.5 % deleted, all over the tables')
  const change = await timed(() => changeDataset(shop, 'shop'))
  tell(`${await figuresOf(shop)}, in ${formatSeconds(change.seconds)}`)

  heading('The second backup stores what changed')
  const second = await lifeboatJson<BackupResult>(['backup', '--destination', destination, '--set', 'shop'], environment('shop'))
  tell(`${formatBytes(second.size)} dumped, ${formatBytes(second.added)} stored (${formatShare(second.added, second.size)}), in ${formatSeconds(second.seconds)}`)
  tell(`${second.chunks} chunks: ${second.chunks - second.newChunks} known, ${second.newChunks} new, of these ${second.deltaChunks} stored as differences`)

  heading('The backups in the store')
  tell(await lifeboat(['list', '--destination', destination], environment('shop')))

  heading('Every byte of the second read back and checked')
  const verified = await lifeboatJson<VerifyResult>(['verify', '--destination', destination, '--set', 'shop', '--snapshot', second.snapshot, '--level', 'read'], environment('shop'))
  if (verified.result !== 'verified') throw new Error(`${verified.snapshot}: ${verified.result}: ${verified.problems.join('; ')}`)
  tell(`${verified.chunks} chunks, ${formatBytes(verified.bytes)}, in ${formatSeconds(verified.seconds)}: ${verified.result}`)

  for (const { which, snapshot, original } of [
    { which: 'first', snapshot: first.snapshot, original: 'shop_at_first' },
    { which: 'second', snapshot: second.snapshot, original: 'shop' },
  ]) {
    heading(`The ${which} restored into a new database, and compared`)
    const database = `shop_from_${which}`
    const options = ['--destination', destination, '--set', 'shop', '--snapshot', snapshot, '--mode', 'create']
    const restored = await lifeboatJson<RestoreResult>(['restore', ...options], environment(database))
    tell(`${restored.restored} of ${restored.entries} entries restored in ${formatSeconds(restored.seconds)}`)
    const differences = await compareDatabases({ server: shop, database: original }, { server: shop, database })
    if (differences.length > 0) throw new Error(`${database} differs from ${original}:\n${differences.join('\n')}`)
    tell(`equal to its original: definitions, the rows of every table, large objects, sequences`)
    await shop.sql(`DROP DATABASE ${database}`)
  }
  console.log(`\nAll of it took ${formatSeconds((performance.now() - begun) / 1000)}; server, store and key are removed now.`)
}

function heading(text: string): void {
  console.log(`\n== ${text}`)
}

function tell(text: string): void {
  for (const line of text.trimEnd().split('\n')) console.log(`   ${line}`)
}

async function figuresOf(server: Server): Promise<string> {
  const query = `ANALYZE;
    SELECT pg_size_pretty(pg_database_size('shop')) || ', ' || count(*) || ' tables, ' || to_char(sum(reltuples), 'FM999,999,999') || ' rows, '
      || (SELECT count(*) FROM pg_largeobject_metadata) || ' large objects'
    FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'`
  return server.sql(query, 'shop')
}

async function timed(work: () => Promise<void>): Promise<{ seconds: number }> {
  const begun = performance.now()
  await work()
  return { seconds: (performance.now() - begun) / 1000 }
}

async function lifeboatJson<T>(args: string[], environment: Record<string, string>): Promise<T> {
  const result: T = JSON.parse(await lifeboat([...args, '--json'], environment))
  return result
}

/** Runs the built program as a user would; its progress goes to this terminal. */
async function lifeboat(args: string[], environment: Record<string, string>): Promise<string> {
  tell(`$ node ${cli} ${args.join(' ')}`)
  const programs = server === undefined ? '' : `${clientDirectory(server.major)}:`
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: checkout,
    env: { ...process.env, ...environment, PATH: `${programs}${process.env['PATH']}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running = child
  const output: Buffer[] = []
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes))
  const [code]: unknown[] = await once(child, 'close')
  running = undefined
  if (code !== 0) throw new Error(`lifeboat ${args[0]} ended with status ${String(code)}`)
  return Buffer.concat(output).toString()
}

async function stopEarly(signal: NodeJS.Signals): Promise<void> {
  if (interrupted) return
  interrupted = true
  console.error(`\n${signal}: cleaning up`)
  await cleanUp()
  process.exit(1)
}

async function cleanUp(): Promise<void> {
  if (running !== undefined) {
    // A terminal has sent it the signal too; it stops its own children before it ends.
    running.kill('SIGINT')
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit')
  }
  await server?.stop()
}

// npm run bench:levels -- [--megabytes 600] [--write]: what each compression-level takes and stores of a shop and of a table whose rows are nearly all
// alike (as pgbench_accounts), and what a backup adds after scattered updates, beside `zstd --patch-from` over the two whole dumps.
import { execFileSync } from 'node:child_process'
import { createReadStream, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { giveBack } from '../src/process/buffers.ts'
import { BufferPool, chunksOf } from '../src/repository/chunker.ts'
import { type Compression, StreamLevel } from '../src/repository/sealing/stream-level.ts'
import { FileStore } from '../src/stores/file/store.ts'
import { changeDataset, loadDataset } from '../test/support/dataset.ts'
import { keys, Run } from '../test/support/engine.ts'
import { clientDirectory, type Server } from '../test/support/postgres-server.ts'
import { type Add, bench, MAJOR } from './harness.ts'
import { PATCH } from './tables.ts'

const LEVELS: readonly Compression[] = [1, 3, 'auto', 'fast']
const ROWS = 3_000_000

await bench({ megabytes: 600 }, ({ megabytes, work, server: start, table }) => table('levels', async (add) => {
  const server = await start()
  for (const name of ['shop', 'accounts']) await server.createDatabase(name)
  await loadDataset(server, 'shop', { megabytes })
  await server.sql(
    `CREATE TABLE accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
     INSERT INTO accounts SELECT n, n / 100000, 0, '' FROM generate_series(1, ${ROWS}) AS n; VACUUM accounts`,
    'accounts',
  )
  const [shop, accounts] = [await dump(server, work, 'shop'), await dump(server, work, 'accounts')]
  for (const file of [shop, accounts]) for (const level of LEVELS) add(`${path.basename(file)}, zstd alone`, `Lifeboat, ${level}`, await compressed(file, level))

  await changeDataset(server, 'shop')
  await changed(add, work, 'shop, changed', shop, await dump(server, work, 'shop', 'changed'))
  await update(server, 1)
  const once = await dump(server, work, 'accounts', 'once')
  await changed(add, work, 'accounts, 2 % of the rows updated', accounts, once)
  await update(server, 2)
  const twice = await dump(server, work, 'accounts', 'twice')
  await changed(add, work, 'accounts, again, after a vacuum', once, twice)
  await changed(add, work, 'accounts, both at once', accounts, twice)
}))

/** Rows anywhere; each is written elsewhere, where a vacuum has made room, or at the end. */
async function update(server: Server, seed: number): Promise<void> {
  await server.sql(
    `UPDATE accounts SET abalance = abalance + hashint4(aid * ${seed}) % 1000 WHERE hashint4(aid + ${seed * ROWS}) % 50 = 0`,
    'accounts',
  )
  await server.sql('VACUUM accounts', 'accounts')
}

async function dump(server: Server, folder: string, database: string, name = database): Promise<string> {
  const file = path.join(folder, name)
  execFileSync(path.join(clientDirectory(MAJOR), 'pg_dump'), ['--format=custom', '--compress=0', `--file=${file}`, `--dbname=${server.url(database)}`])
  return file
}

/** By the thread that compresses, and nothing else. */
async function compressed(file: string, level: Compression): Promise<{ cpuSeconds: number; read: number; stored: number }> {
  const stream = new StreamLevel(level)
  let [size, stored, cpu] = [0, 0, 0]
  for await (const chunk of chunksOf(createReadStream(file, { highWaterMark: 1024 * 1024 }), keys.gear, new BufferPool(2))) {
    const before = process.threadCpuUsage()
    const { bytes } = stream.compress(chunk.bytes)
    const { user, system } = process.threadCpuUsage(before)
    cpu += user + system
    size += chunk.bytes.length
    stored += bytes.length
    giveBack(bytes.buffer)
    chunk.release()
  }
  return { cpuSeconds: cpu / 1e6, read: size, stored }
}

async function changed(add: Add, folder: string, what: string, before: string, after: string): Promise<void> {
  const patch = path.join(folder, 'patch')
  execFileSync('zstd', ['-q', '-f', '-3', '--long=31', `--patch-from=${before}`, after, '-o', patch])
  add(what, PATCH, { added: statSync(patch).size })
  for (const compression of ['auto', 'fast'] as const) {
    const place = path.join(folder, 'store')
    const store = new FileStore(place)
    await backUp(store, compression, before)
    const started = process.cpuUsage()
    const added = await backUp(store, compression, after)
    const { user, system } = process.cpuUsage(started)
    add(what, `Lifeboat, ${compression}`, { cpuSeconds: (user + system) / 1e6, added })
    rmSync(place, { recursive: true })
  }
}

async function backUp(store: FileStore, compression: Compression, file: string): Promise<number> {
  const run = await Run.begin({ store, compression, jobs: 1 })
  await run.source('app', createReadStream(file, { highWaterMark: 64 * 1024 }))
  await run.commit()
  return run.writer.added
}

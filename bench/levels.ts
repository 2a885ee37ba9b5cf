// npm run bench:levels -- [megabytes] [rows]: what each compression-level takes and stores of a shop and of a table whose rows are nearly all
// alike (as pgbench_accounts), and what a backup adds after scattered updates, beside `zstd --patch-from` over the two whole dumps.
import { execFileSync } from 'node:child_process'
import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { giveBack } from '../src/process/buffers.ts'
import { BufferPool, chunksOf } from '../src/repository/chunker.ts'
import { type Compression, StreamLevel } from '../src/repository/sealing/stream-level.ts'
import { FileStore } from '../src/stores/file/store.ts'
import { changeDataset, loadDataset } from '../test/support/dataset.ts'
import { keys, Run } from '../test/support/engine.ts'
import { clientDirectory, startServer } from '../test/support/postgres-server.ts'

const LEVELS: readonly Compression[] = [1, 3, 'auto', 'fast']
const [megabytes, rows] = [Number(process.argv[2] ?? 600), Number(process.argv[3] ?? 3_000_000)]
const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-'))
const server = await startServer(17)
try {
  for (const name of ['shop', 'accounts']) await server.createDatabase(name)
  await loadDataset(server, 'shop', { megabytes })
  await server.sql(
    `CREATE TABLE accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
     INSERT INTO accounts SELECT n, n / 100000, 0, '' FROM generate_series(1, ${rows}) AS n; VACUUM accounts`,
    'accounts',
  )
  console.log('| data | level | MB | MB stored | CPU s |\n|---|---|--:|--:|--:|')
  const [shop, accounts] = [await dump('shop'), await dump('accounts')]
  for (const file of [shop, accounts]) for (const level of LEVELS) await compressed(file, level)

  console.log('\n| data | MB added | of `zstd --patch-from` | CPU s |\n|---|--:|--:|--:|')
  await changeDataset(server, 'shop')
  await changed('shop, changed', shop, await dump('shop', 'changed'))
  await update(1)
  const once = await dump('accounts', 'once')
  await changed('accounts, 2 % of the rows updated', accounts, once)
  await update(2)
  const twice = await dump('accounts', 'twice')
  await changed('again, after a vacuum', once, twice)
  await changed('both at once', accounts, twice)
} finally {
  await server.stop()
  rmSync(folder, { recursive: true })
}

/** Rows anywhere; each is written elsewhere, where a vacuum has made room, or at the end. */
async function update(seed: number): Promise<void> {
  await server.sql(
    `UPDATE accounts SET abalance = abalance + hashint4(aid * ${seed}) % 1000 WHERE hashint4(aid + ${seed * rows}) % 50 = 0`,
    'accounts',
  )
  await server.sql('VACUUM accounts', 'accounts')
}

async function dump(database: string, name = database): Promise<string> {
  const file = path.join(folder, name)
  execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=custom', '--compress=0', `--file=${file}`, `--dbname=${server.url(database)}`])
  return file
}

/** By the thread that compresses, and nothing else. */
async function compressed(file: string, level: Compression): Promise<void> {
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
  console.log(`| ${path.basename(file)} | ${level} | ${(size / 1e6).toFixed(0)} | ${(stored / 1e6).toFixed(2)} | ${(cpu / 1e6).toFixed(2)} |`)
}

async function changed(what: string, before: string, after: string): Promise<void> {
  const patch = path.join(folder, 'patch')
  execFileSync('zstd', ['-q', '-f', '-3', '--long=31', `--patch-from=${before}`, after, '-o', patch])
  const limit = statSync(patch).size
  for (const compression of ['auto', 'fast'] as const) {
    const place = path.join(folder, 'store')
    const store = new FileStore(place)
    await backUp(store, compression, before)
    const started = process.cpuUsage()
    const added = await backUp(store, compression, after)
    const { user, system } = process.cpuUsage(started)
    console.log(`| ${what}, ${compression} | ${(added / 1e6).toFixed(2)} | ${(added / limit).toFixed(2)} × | ${((user + system) / 1e6).toFixed(1)} |`)
    rmSync(place, { recursive: true })
  }
}

async function backUp(store: FileStore, compression: Compression, file: string): Promise<number> {
  const run = await Run.begin({ store, compression, jobs: 1 })
  await run.source('app', createReadStream(file, { highWaterMark: 64 * 1024 }))
  await run.commit()
  return run.writer.added
}

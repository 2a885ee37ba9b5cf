// How long `list`, `stats` and `show` take over a store of many snapshots, in a folder: the built program, started anew for each.
// Run by hand: npm run bench:list -- [snapshots] [chunks of each] [folder].
import { execFileSync } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { openKeys } from '../src/repository/keys.ts'
import { putLabels } from '../src/repository/labels.ts'
import { writeProof } from '../src/repository/proofs.ts'
import { openOrMakeRepository } from '../src/repository/repository.ts'
import { type ChunkEntry, encodeSnapshot, FORMAT, snapshotKey } from '../src/repository/snapshot.ts'
import { FileStore } from '../src/stores/file.ts'

const IDENTITY = 'AGE-SECRET-KEY-18TQHRSHQTKZEVH952RYVPHU07DE394GRAYT6AVFNYMUX0X7XJEDSELEQD3'
const DAY = 86_400_000
const WITHOUT_KEY = '(without a key)'
const FIRST = Date.UTC(2023, 0, 1)

const [snapshots = 1000, chunks = 600] = process.argv.slice(2, 4).map(Number)
const folder = mkdtempSync(path.join(process.argv[4] ?? tmpdir(), 'bench-list-'))
try {
  await fill()
  const program = path.join(folder, 'dist', 'cli.js')
  execFileSync(process.execPath, [path.join(import.meta.dirname, '../scripts/build.ts'), path.dirname(program)], { stdio: ['ignore', 'ignore', 'inherit'] })
  for (const args of [['list'], ['list', '--retention', 'daily=30 weekly=12 monthly=12 yearly=7'], ['list', WITHOUT_KEY], ['list', '--since', '2023-03-01T00:00:00Z', '--until', '2023-03-30T00:00:00Z'], ['stats'], ['show', 'latest', '--set', 'app']]) {
    const { seconds, processor, memory } = measure(program, args)
    console.log(`${args.join(' ')}: ${seconds.toFixed(2)} s, ${processor} s of CPU time, ${memory} MiB`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** One snapshot a day of a database of 50 tables; each has five chunks of its own, and was verified; every tenth is pinned. No chunk is there, for none is looked at. */
async function fill(): Promise<void> {
  const store = new FileStore(folder)
  await openOrMakeRepository(store)
  const keys = await openKeys(IDENTITY, { store, create: false })
  const anchors = Array.from({ length: chunks }, (_, index) => createHmac('sha512', 'anchors').update(`${index}`).digest().toString('base64'))
  const tables = Array.from({ length: 50 }, (_, index) => ({ schema: 'public', name: `table_${index}`, rows: index * 1000, bytes: index * 8192, partitioned: false, rowSecurity: false }))
  const entries = Array.from({ length: 300 }, (_, index) => `${3000 + index}; 0 ${20_000 + index} TABLE DATA public table_${index} app`)
  const facts = { server: { major: 17, version: '17.5' }, database: 'shop', encoding: 'UTF8', collation: 'C', databaseSize: 1e9, extensions: [{ name: 'plpgsql', version: '1.0' }], tables, dumpVersion: '17.5', entries, globals: { stream: true, passwords: true } }
  const listed = Array.from({ length: chunks }, (_, index): ChunkEntry => [hash(`${index}`), 2_000_000, 400_000, null, '00000000'])
  for (let number = 0; number < snapshots; number++) {
    const time = new Date(FIRST + number * DAY)
    const mark = number.toString(16).padStart(8, '0')
    for (let own = 0; own < Math.min(5, chunks); own++) listed[(number * 5 + own) % chunks] = [hash(`${number} ${own}`), 2_000_000, 400_000, null, mark]
    const id = `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${mark}`
    const size = chunks * 2_000_000
    const header = { format: FORMAT, id, set: 'app', time: time.toISOString(), key: keys.fingerprint, tags: ['nightly'], size, added: 2_000_000, chunks: listed } as const
    const stream = { name: 'shop.dump', format: 'pg_dump-custom' as const, size, sha256: hash('stream'), chunks: listed.map((_, index) => index) }
    const content = { sources: [{ name: 'shop', kind: 'postgres' as const, streams: [stream], facts }], anchors, spent: listed.map(() => 0), description: 'nightly', run: null, lifeboat: 'bench' }
    await store.put(snapshotKey('app', id), await encodeSnapshot({ ...header, tags: ['nightly'] }, content, keys))
    await writeProof(store, keys, { set: 'app', snapshot: id, time, level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
    if (number % 10 === 0) await putLabels(store, keys, 'app', id, { pinned: true, tags: null })
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function measure(program: string, args: readonly string[]): { seconds: number; processor: string; memory: string } {
  const started = performance.now()
  const env = { ...process.env, LIFEBOAT_DESTINATION: `file:${folder}`, LIFEBOAT_ENCRYPTION_KEY: args.includes(WITHOUT_KEY) ? '' : IDENTITY }
  const given = args.filter((arg) => arg !== WITHOUT_KEY)
  // GNU time writes its line after what the program says.
  const said = execFileSync('/bin/sh', ['-c', '/usr/bin/time -f "%U %S %M" "$0" "$@" 2>&1 >/dev/null', process.execPath, program, ...given], { env, encoding: 'utf8' })
  const [user = 0, system = 0, kilobytes = 0] = said.trim().split('\n').at(-1)!.split(' ').map(Number)
  return { seconds: (performance.now() - started) / 1000, processor: (user + system).toFixed(2), memory: (kilobytes / 1024).toFixed(0) }
}

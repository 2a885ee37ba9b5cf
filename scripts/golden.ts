// Makes the golden stores of test/golden with the built program: node scripts/golden.ts [PROGRAM]. Done once per version of the format;
// a store that is there is kept, since the point of it is that it never changes.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { changeDataset, loadDataset } from '../test/support/dataset.ts'
import { contentOf, type Golden, goldenFolder, goldenStores, writeGolden } from '../test/support/golden.ts'
import { PlainReader } from '../test/support/plain-reader.ts'
import { type Server, startServer } from '../test/support/postgres-server.ts'
import { createHash } from 'node:crypto'
import { openKeys } from '../src/repository/open-keys.ts'
import { FileStore } from '../src/stores/file/store.ts'

/** Keys that open nothing but these stores. The identity is that of the test vectors in docs/format.md. */
const keys: Record<(typeof goldenStores)[number], string> = {
  'v1-identity': 'AGE-SECRET-KEY-18TQHRSHQTKZEVH952RYVPHU07DE394GRAYT6AVFNYMUX0X7XJEDSELEQD3',
  'v1-passphrase': 'a golden passphrase, known to all',
}

const program = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '../dist/cli.js'))
const temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-golden-'))
const server = await startServer(15)
try {
  for (const name of goldenStores) {
    if (existsSync(path.join(goldenFolder(name), 'golden.json'))) console.log(`${name} is there and stays as it is`)
    else await make(name, keys[name])
  }
} finally {
  await server.stop()
  rmSync(temporary, { recursive: true })
}

async function make(name: string, encryptionKey: string): Promise<void> {
  mkdirSync(goldenFolder(name), { recursive: true })
  const store = path.join(goldenFolder(name), 'store')
  const database = name
  await server.createDatabase(database)
  await loadDataset(server, database, { megabytes: 0.8 })
  const snapshots: Golden['snapshots'] = [await backUp(server, database, store, encryptionKey)]
  await changeDataset(server, database)
  snapshots.push(await backUp(server, database, store, encryptionKey))
  writeGolden(name, { encryptionKey, server: 15, snapshots })
  console.log(`${name}: ${execFileSync('du', ['-sb', store]).toString().split('\t')[0]} bytes`)
}

async function backUp(from: Server, database: string, store: string, encryptionKey: string): Promise<Golden['snapshots'][number]> {
  const args = ['backup', '--set', 'shop', '--destination', `file:${store}`, '--compression-level', '19', '--tags', 'golden', '--description', 'for ever', '--json']
  const secrets = { LIFEBOAT_ENCRYPTION_KEY: encryptionKey, DATABASE_URL: `shop=${from.url(database)}` }
  const { snapshot: id, deltaChunks } = JSON.parse(execFileSync(process.execPath, [program, ...args], { env: { ...process.env, ...secrets } }).toString())
  console.log(`${database}: ${id}, ${deltaChunks} differences`)
  const { identity } = await openKeys(encryptionKey, { store: new FileStore(store), create: false })
  const identityFile = path.join(temporary, 'identity.txt')
  writeFileSync(identityFile, `${identity}\n`, { mode: 0o600 })
  const streams = new PlainReader(store, identityFile)
    .streams(`shop/${id}`)
    .map(({ source, name, bytes }) => ({ source, name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }))
  return { id, streams, content: await contentOf(from, database) }
}

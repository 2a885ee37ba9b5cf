import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openKeys } from '../src/repository/open-keys.ts'
import { Reader } from '../src/repository/reader.ts'
import { decodeSnapshot, openManifest, snapshotKey } from '../src/repository/snapshot.ts'
import { FileStore } from '../src/stores/file/store.ts'
import { ANY_SIZE } from './support/bytes.ts'
import { contentOf, goldenFolder, goldenStores, readGolden } from './support/golden.ts'
import { PlainReader } from './support/plain-reader.ts'
import { type Server, startServer } from './support/postgres-server.ts'
import { recover, recoverOnTerminal } from './support/recover-script.ts'
import { lifeboatEntry } from './support/terminal-program.ts'

const temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-golden-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

test('every golden store there is, is tested', () => {
  expect(readdirSync(path.join(import.meta.dirname, 'golden')).toSorted()).toEqual([...goldenStores].toSorted())
})

describe.each(goldenStores)('the golden store %s', (name) => {
  const folder = path.join(goldenFolder(name), 'store')
  const { encryptionKey, server: major, snapshots } = readGolden(name)
  const store = new FileStore(folder)

  test('has chunks stored as differences', async () => {
    const keys = await openKeys(encryptionKey, { store, create: false })
    const key = snapshotKey('shop', snapshots[1]!.id)
    const { header } = await decodeSnapshot(key, await store.get(key, ANY_SIZE), keys)
    expect(header.chunks.filter((entry) => entry[3] !== null).length).toBeGreaterThan(0)
  })

  test('gives back every stream through our reader', async () => {
    const keys = await openKeys(encryptionKey, { store, create: false })
    for (const { id, streams } of snapshots) {
      const key = snapshotKey('shop', id)
      const snapshot = await decodeSnapshot(key, await store.get(key, ANY_SIZE), keys)
      const { sources } = await openManifest(snapshot)
      const reader = new Reader(store, keys, snapshot.header.chunks)
      const read: unknown[] = []
      for (const source of sources) {
        for (const stream of source.streams) {
          const chunks: Buffer[] = []
          for await (const chunk of reader.stream(stream)) chunks.push(chunk)
          const bytes = Buffer.concat(chunks)
          read.push({ source: source.name, name: stream.name, size: bytes.length, sha256: sha256(bytes) })
        }
      }
      expect(read).toEqual(streams)
    }
  })

  test('gives back every stream through the plain reader and through the recover.sh it carries', async () => {
    const keys = await openKeys(encryptionKey, { store, create: false })
    const identity = path.join(temporary, `${name}.txt`)
    writeFileSync(identity, `${keys.identity}\n`, { mode: 0o600 })
    const reader = new PlainReader(folder, identity)
    for (const { id, streams } of snapshots) {
      const read = reader.streams(`shop/${id}`).map(({ source, name, bytes }) => ({ source, name, size: bytes.length, sha256: sha256(bytes) }))
      expect(read).toEqual(streams)
      for (const stream of streams) {
        const { stdout, stderr } = recover(folder, ['extract', id, `${stream.source}/${stream.name}`, '-i', identity])
        expect({ stderr, sha256: sha256(stdout) }).toEqual({ stderr: expect.stringContaining('as recorded'), sha256: stream.sha256 })
      }
    }
  })

  test('is restored into a server with all it had', async () => {
    // A restore notes in the store how long it took.
    const copy = path.join(temporary, name)
    cpSync(folder, copy, { recursive: true })
    const server: Server = await startServer(major)
    try {
      for (const [index, { id, content }] of snapshots.entries()) {
        const database = `restored_${index}`
        const secrets = { LIFEBOAT_ENCRYPTION_KEY: encryptionKey, DATABASE_URL: server.url(database) }
        execFileSync(process.execPath, [lifeboatEntry(), 'restore', '--destination', `file:${copy}`, '--set', 'shop', '--snapshot', id, '--mode', 'create'], {
          env: { ...process.env, ...secrets },
        })
        expect(await contentOf(server, database)).toEqual(content)
      }
    } finally {
      await server.stop()
    }
  })
})

test('the passphrase of the golden store v1-passphrase opens it with stock age', async () => {
  const { encryptionKey } = readGolden('v1-passphrase')
  const identity = path.join(temporary, 'unwrapped.txt')
  const { status } = await recoverOnTerminal(path.join(goldenFolder('v1-passphrase'), 'store'), ['identity', '-o', identity], encryptionKey)
  expect(status).toBe(0)
})

import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import type { GitHub } from '../support/github/emulator.ts'
import { type ArtifactStores, withArtifacts } from '../support/github/store.ts'
import { thrownBy } from '../support/thrown.ts'

let github: GitHub
let stores: ArtifactStores
withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})

/** The threads that were started since a test began, and those of them that have ended. */
const started: Worker[] = []
const ended = new Set<Worker>()
const onThread = (message: unknown): void => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as Node documents it
  const { worker } = message as { worker: Worker }
  started.push(worker)
  worker.once('exit', () => ended.add(worker))
}
beforeEach(() => {
  started.length = 0
  subscribe('worker_threads', onThread)
})
afterEach(() => unsubscribe('worker_threads', onThread))

let day = 0
async function backUp(given: Parameters<ArtifactStores['open']>[0] = {}): Promise<void> {
  const store = stores.open(given)
  await store.put(`snapshots/shop/202611${String(++day).padStart(2, '0')}T020000Z-00000001.json.zst`, Buffer.alloc(1000, day))
  await store.groups.commit([])
  await store.close()
}

test("the thread of one upload serves the next run, with that run's own token; one whose upload failed is ended", async () => {
  await backUp()
  await backUp()
  expect([started.length, ended.size]).toEqual([1, 0])
  expect(new Set(github.live().map(({ run }) => run.id)).size).toBe(2)

  github.faults.push({ match: 'CreateArtifact', kind: 403, body: { code: 'permission_denied', msg: 'no' } })
  expect((await thrownBy(backUp())).message).toMatch(/GitHub refused it/)
  expect(ended.size).toBe(1)
  await backUp()
  expect(started.length - ended.size).toBe(1)
  expect(github.live()).toHaveLength(3)
})

test('uploads at the same time have a thread each, and another proxy has one of its own', async () => {
  await Promise.all([backUp(), backUp()])
  const before = started.length
  await backUp({ variables: { ...github.startRun(), NO_PROXY: '127.0.0.1' } })
  expect(started.length).toBe(before + 1)
  expect(github.live()).toHaveLength(3)
})

test('a thread that waits for the next upload does not keep the process alive', async () => {
  const source = path.join(import.meta.dirname, '../../src/stores/artifact/upload.ts')
  const file = path.join(stores.temporary, 'file')
  writeFileSync(file, 'content')
  const upload = { name: 'lifeboat-shop', root: stores.temporary, files: [file], retentionDays: 1 }
  const script = `import { subscribe } from 'node:diagnostics_channel'
    import { uploadArtifact } from ${JSON.stringify(source)}
    let threads = 0
    subscribe('worker_threads', ({ worker }) => { threads++; worker.once('exit', () => threads--) })
    process.exitCode = 7
    process.once('beforeExit', () => { process.exitCode = threads === 1 ? 0 : 8 })
    await uploadArtifact(${JSON.stringify(upload)}, { variables: ${JSON.stringify(github.startRun())}, signal: new AbortController().signal, silence: 60_000 })`
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
})

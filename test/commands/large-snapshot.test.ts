import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PreviousBackups } from '../../src/commands/backup/previous.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { ANY_SIZE, noise } from '../support/bytes.ts'
import { backUp, keys } from '../support/engine.ts'
import { quiet } from '../support/quiet.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-large-'))
afterAll(() => rmSync(folder, { recursive: true }))
const store = new FileStore(folder)
let size: number
beforeAll(async () => {
  const { id } = await backUp({ store }, { app: noise('app', 100_000) })
  size = (await store.get(snapshotKey('app', id), ANY_SIZE)).length
})

async function warningsWith(limit?: number): Promise<string[]> {
  const warnings: string[] = []
  const report = { ...quiet, warning: (message: string) => void warnings.push(message) }
  const environment = { variables: {}, signal: new AbortController().signal, report, temporary: path.join(folder, 'tmp'), now: () => new Date() }
  const previous = await PreviousBackups.load(store, keys, { set: 'app', checkReused: 0 }, environment, limit)
  await previous.close()
  return warnings.filter((text) => text.includes('none may have more than'))
}

test('a newest snapshot of 80 % of the largest size or more is warned of', async () => {
  expect(await warningsWith(Math.ceil(size / 0.79))).toEqual([])
  expect(await warningsWith(Math.floor(size / 0.8))).toEqual([expect.stringContaining('the newest snapshot of set app has')])
})

test('a planted object, however large, is not', async () => {
  for (const name of ['20200101T000000Z-00000000', '20290101T000000Z-00000000']) {
    writeFileSync(path.join(folder, snapshotKey('app', name)), Buffer.alloc(110 * 1024 * 1024))
  }
  expect(await warningsWith()).toEqual([])
})

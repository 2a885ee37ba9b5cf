import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../src/error.ts'
import { PartUploads } from '../../src/stores/artifact/part-uploads.ts'
import { Staging } from '../../src/stores/artifact/staging.ts'
import { thrownBy } from '../support/thrown.ts'
import { until } from '../support/until.ts'

let folder: string
let staging: Staging
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'parts-'))
  staging = new Staging(folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Uploads that end when they are told to. */
class Line {
  readonly begun: (readonly string[])[] = []
  readonly confirmed: number[] = []
  readonly #ends: PromiseWithResolvers<void>[] = []

  upload = async (keys: readonly string[]): Promise<() => Promise<string>> => {
    const end = Promise.withResolvers<void>()
    this.#ends.push(end)
    const number = this.begun.push(keys)
    await end.promise
    return async () => {
      this.confirmed.push(number)
      return `part ${number}`
    }
  }

  end(): void {
    this.#ends.shift()!.resolve()
  }

  fail(message: string): void {
    this.#ends.shift()!.reject(new LifeboatError(message))
  }
}

const chunk = (number: number) => `chunks/aa/${number}`
const onDisk = (): string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).toSorted()

/** Puts chunks of 100 bytes one after the other, and counts those that were taken. */
function putting(parts: PartUploads<string>, count: number): { taken: number; all: Promise<void> } {
  const state = { taken: 0, all: Promise.resolve() }
  state.all = (async () => {
    for (let number = 1; number <= count; number++) {
      await parts.put(chunk(number), Buffer.alloc(100))
      state.taken = number
    }
  })()
  return state
}

test('of 1,600 bytes that may be staged, a part has 200; no put is taken while there is no room, and one part is uploaded at a time', async () => {
  const line = new Line()
  const parts = new PartUploads(staging, 1600, line.upload)
  const put = putting(parts, 20)
  await until(() => put.taken === 16)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect([put.taken, line.begun, onDisk().length]).toEqual([16, [[chunk(1), chunk(2)]], 16])
  for (const [done, taken] of [[1, 18], [2, 20]] as const) {
    line.end()
    await until(() => put.taken === taken && line.begun.length === done + 1)
    expect(line.begun[done]).toEqual([chunk(2 * done + 1), chunk(2 * done + 2)])
    expect(onDisk().length).toBe(16)
  }
  await put.all
  const finished = parts.finish()
  for (let part = 3; part <= 9; part++) {
    line.end()
    await until(() => line.confirmed.length === part)
  }
  expect(await finished).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => `part ${number}`))
  // The last two are for the last artifact.
  expect([...staging.objects.keys()]).toEqual([chunk(19), chunk(20)])
  expect(onDisk()).toEqual(['19', '20'])
})

test('parts become larger with the backup, up to a quarter of the limit, so that it takes few of them', async () => {
  const begun: number[] = []
  const parts = new PartUploads(staging, 800, async (keys) => {
    begun.push(keys.length)
    return async () => 'a part'
  })
  await putting(parts, 60).all
  await parts.finish()
  // An eighth of 800 bytes, and a sixteenth of what was put before where that is more: two chunks after 3,200 bytes.
  expect(begun).toEqual([...Array.from({ length: 31 }, () => 1), ...Array.from({ length: 14 }, () => 2)])
  expect(onDisk().length).toBe(1)
})

test('only chunks go into parts, and nothing else waits for room', async () => {
  const line = new Line()
  const parts = new PartUploads(staging, 400, line.upload)
  const put = putting(parts, 5)
  await until(() => put.taken === 4)
  await parts.put('snapshots/app/1', Buffer.alloc(1000))
  await parts.put('lifeboat.json', Buffer.alloc(1000))
  line.end()
  await put.all
  for (let part = 2; part <= 4; part++) {
    line.end()
    await until(() => line.confirmed.length === part)
  }
  await parts.finish()
  expect(line.begun).toEqual([1, 2, 3, 4].map((number) => [chunk(number)]))
  expect([...staging.objects.keys()].toSorted()).toEqual([chunk(5), 'lifeboat.json', 'snapshots/app/1'])
})

test('chunks that are put at the same time stay within the limit, and one that is larger than the limit gets all of the room', async () => {
  const line = new Line()
  const parts = new PartUploads(staging, 400, line.upload)
  const puts = Promise.all([1, 2, 3, 4, 5, 6].map((number) => parts.put(chunk(number), Buffer.alloc(number === 6 ? 1000 : 100))))
  for (let part = 1; part <= 5; part++) {
    await until(() => line.begun.length === part)
    expect(onDisk().length).toBeLessThanOrEqual(4)
    line.end()
  }
  await puts
  expect(onDisk()).toEqual(['6'])
})

test('a failed upload ends the puts that wait, and every later one, with its error; no further part is begun', async () => {
  const line = new Line()
  const parts = new PartUploads(staging, 400, line.upload)
  const put = putting(parts, 10)
  const waiting = thrownBy(put.all)
  await until(() => put.taken === 4)
  line.fail('refused')
  expect((await waiting).message).toBe('refused')
  expect((await thrownBy(parts.put(chunk(11), Buffer.alloc(100)))).message).toBe('refused')
  expect((await thrownBy(parts.finish())).message).toBe('refused')
  expect(line.begun).toHaveLength(1)
})

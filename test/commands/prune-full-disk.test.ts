import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { prune } from '../../src/commands/prune/prune.ts'
import type { Environment } from '../../src/environment.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { backUp, digests, identity, restored } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-full-'))
const disk = path.join(folder, 'disk')
const asRoot = process.getuid?.() === 0
beforeAll(() => {
  mkdirSync(disk)
  if (asRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'lifeboat-test', disk])
})
afterAll(() => {
  if (asRoot) execFileSync('umount', [disk])
  rmSync(folder, { recursive: true, force: true })
})

const DAY = 86_400_000
let now = Date.now()
const environment: Environment = {
  variables: {}, signal: new AbortController().signal, temporary: folder, now: () => new Date(now),
  report: { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined },
}
const root = path.join(disk, 'store')
const run = (policy: string) => prune(parseInputs('prune', { destination: `file:${root}?mounted=false`, 'encryption-key': identity, set: 'app', retention: policy }, {}), environment)
const files = (kind: string): string[] => readdirSync(path.join(root, kind), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name)

/** Leaves not a byte free. */
function fill(): void {
  for (const piece of [64 * 1024, 4096]) {
    try {
      for (;;) appendFileSync(path.join(disk, 'filler'), noise('filler', piece))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    }
  }
  expect(statfsSync(disk).bavail).toBe(0)
}

// Mounting needs root. For others the report has the reason beside the name of what was skipped.
const onFullDisk = (title: string, body: () => Promise<void>): void =>
  asRoot ? test(title, body) : test.skip(`${title} (only root can mount the small file system)`, body)

onFullDisk('a disk without a free byte is pruned: snapshots go, then their chunks, and what killed uploads left', async () => {
  const store = new FileStore(root)
  await openOrMakeRepository(store)
  const content = ['one', 'two', 'three'].map((name) => ({ app: noise(name, 100_000) }))
  for (const [index, one] of content.entries()) await backUp({ store, time: new Date(now - (9 - index) * DAY) }, one)
  const incoming = path.join(root, '.incoming')
  const [abandoned, young] = ['1f0c8a35-7d0a-4b6e-9d57-0c3e5a1b2c3d', '2f0c8a35-7d0a-4b6e-9d57-0c3e5a1b2c3d'].map((name) => path.join(incoming, name))
  writeFileSync(young!, noise('young', 8000))
  fill()
  expect(await run('last=2')).toMatchObject({ deleted: 1, chunks: { trashed: { objects: 1 }, deleted: { objects: 0 } } })
  expect(files('trash')).toHaveLength(1)

  now += 2 * DAY
  truncateSync(path.join(disk, 'filler'), statSync(path.join(disk, 'filler')).size - 8192)
  writeFileSync(abandoned!, noise('abandoned', 4000))
  utimesSync(abandoned!, new Date(Date.now() - 2 * DAY), new Date(Date.now() - 2 * DAY))
  fill()
  expect(await run('last=1')).toMatchObject({ deleted: 1, chunks: { trashed: { objects: 1 }, deleted: { objects: 1 } } })
  expect([existsSync(abandoned!), existsSync(young!)]).toEqual([false, true])
  now += 2 * DAY
  fill()
  expect(await run('last=1')).toMatchObject({ chunks: { deleted: { objects: 1 } } })
  expect([files('snapshots').length, files('chunks').length, files('trash')]).toEqual([1, 1, []])
  expect(await restored(store)).toEqual(digests(content[2]!))
})

onFullDisk('a put that finds the disk full removes what killed uploads left, and tries once more', async () => {
  const store = new FileStore(root)
  const abandoned = path.join(root, '.incoming/3f0c8a35-7d0a-4b6e-9d57-0c3e5a1b2c3d')
  rmSync(path.join(disk, 'filler'))
  writeFileSync(abandoned, noise('abandoned', 200_000))
  utimesSync(abandoned, new Date(Date.now() - 2 * DAY), new Date(Date.now() - 2 * DAY))
  fill()
  await store.put('chunks/aa/new', noise('new', 150_000))
  expect(existsSync(abandoned)).toBe(false)
  await expect(store.put('chunks/aa/other', noise('other', 150_000))).rejects.toThrow(/^cannot write chunks\/aa\/other .* ENOSPC/)
  expect(files('.incoming')).toEqual(['2f0c8a35-7d0a-4b6e-9d57-0c3e5a1b2c3d'])
})

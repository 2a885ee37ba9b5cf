import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { contentOf, type Ending, expectFailure, type Given, Sandbox, withoutNotes } from './sandbox.ts'

let sandbox: Sandbox
/** A folder is backed up in half the time of a database, and the store is written in the same way. */
let files: Given
let file: string
beforeAll(async () => {
  sandbox = await Sandbox.open('')
  const folder = path.join(sandbox.folder, 'files')
  mkdirSync(folder)
  file = path.join(folder, 'file')
  writeFileSync(file, 'content')
  files = { volumes: `files=${folder}` }
})
afterAll(() => sandbox.close())
beforeEach(() => rmSync(sandbox.store, { recursive: true, force: true }))

/** Makes strace tamper with the `count`th call of `call`. Only one thread of the program makes such calls, so they come in order. */
function tampered(call: string, how: string, count: number | string): Promise<Ending> {
  // The fast way of strace injects errors, but no signals.
  const fast = how.startsWith('error=') ? ['--seccomp-bpf'] : []
  const under = ['strace', '-f', ...fast, '--quiet=all', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:${how}:when=${count}`]
  return sandbox.run('backup', { json: 'true', verify: 'none', ...files }, { under, variables: { UV_THREADPOOL_SIZE: '1' }, killed: true })
}

const chunks = (): string[] => Object.keys(contentOf(sandbox.store)).filter((file) => file.startsWith('chunks/'))
const snapshots = (): string[] => Object.keys(contentOf(sandbox.store)).filter((file) => file.startsWith('snapshots/'))

/** All earlier objects are still there, everything in the store can be read, and a backup succeeds. */
async function expectUsable(before: Record<string, string>): Promise<void> {
  expect(contentOf(sandbox.store)).toMatchObject(withoutNotes(before))
  const committed = snapshots().filter((file) => !(file in before))
  expect(committed.length).toBeLessThanOrEqual(1)
  if (existsSync(path.join(sandbox.store, 'lifeboat.json'))) {
    const listed = await sandbox.run('list', { json: 'true' })
    // Of chunks without a snapshot it cannot be told whether there was ever one.
    if (snapshots().length === 0 && chunks().length > 0) {
      expect([listed.status, listed.err]).toEqual([1, expect.stringContaining('lists chunks, but no snapshot')])
    } else {
      expect([listed.status, listed.err]).toEqual([0, ''])
      expect(JSON.parse(listed.out).snapshots).toHaveLength(snapshots().length)
    }
    if (committed.length > 0) expect(await sandbox.verify({ level: 'read' })).toMatchObject({ result: 'verified' })
  }
  await sandbox.backup({ ...files, verify: 'read' })
}

describe('a backup that is killed leaves a store that is readable, and the next backup succeeds', () => {
  test('killed while it makes the store, before any of its objects is in place', async () => {
    let kills = 0
    for (; ; kills++) {
      rmSync(sandbox.store, { recursive: true, force: true })
      const { status, out } = await tampered('rename', 'signal=SIGKILL', kills + 1)
      if (status === 0) break
      expect(out).toBe('')
      await expectUsable({})
    }
    // The marker and its two companions, a chunk for the files, one for their list, the snapshot.
    expect(kills).toBeGreaterThanOrEqual(6)
  })

  // Every write of a file or of an entry of a folder is followed by an fsync: these calls cut a run into the states it leaves on the disk.
  test('killed while it adds to one, at any step', async () => {
    await sandbox.backup(files)
    let kills = 0
    for (; ; kills++) {
      writeFileSync(file, `change ${kills}`)
      const before = contentOf(sandbox.store)
      const { status } = await tampered('fsync', 'signal=SIGKILL', kills + 1)
      if (status === 0) break
      await expectUsable(before)
    }
    expect(kills).toBeGreaterThanOrEqual(6)
    await sandbox.expectHealthy(files)
  })
})

describe('a disk that fails', () => {
  test.each([
    ['fsync', 'EIO', /cannot write \S+ to file:\S+: EIO/, /hardware error/],
    ['rename', 'ENOSPC', /cannot write \S+ to file:\S+: ENOSPC/, /Free some space/],
    ['mkdir', 'EDQUOT', /cannot write \S+ to file:\S+: EDQUOT/, /quota is used up/],
  ] as const)('in any %s with %s fails the backup, and the next one succeeds', async (call, error, message, hint) => {
    let failures = 0
    for (; ; failures++) {
      rmSync(sandbox.store, { recursive: true, force: true })
      const ending = await tampered(call, `error=${error}`, failures + 1)
      // The note of interrupted runs is of use to later ones alone.
      if (ending.status === 0 && /^warning: .*runs\/default\.json/m.test(ending.err)) continue
      if (ending.status === 0) break
      expectFailure(ending, 1, message, hint)
      // Once the snapshot is renamed into place, it is there, though the disk did not confirm it.
      if (snapshots().length > 0) {
        expect(call).toBe('fsync')
        expect(await sandbox.verify({ level: 'read' })).toMatchObject({ result: 'verified' })
      }
      expect(Object.keys(contentOf(sandbox.store)).filter((file) => file.startsWith('.incoming'))).toEqual([])
      await sandbox.backup({ ...files, verify: 'none' })
    }
    expect(failures).toBeGreaterThanOrEqual(5)
    await sandbox.expectHealthy(files)
  })
})

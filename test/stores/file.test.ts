import { execFileSync, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { FileStore } from '../../src/stores/file/store.ts'
import { refuseUnmounted } from '../../src/stores/file/mount.ts'
import { NotFound } from '../../src/stores/store.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { thrownBy } from '../support/thrown.ts'
import { storeContract } from './contract.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshFolder = (): string => path.join(folder, `${++count}`)

storeContract('a folder', async () => {
  const root = freshFolder()
  return { store: new FileStore(root), reopen: async () => new FileStore(root), close: async () => rmSync(root, { recursive: true, force: true }) }
})

const asRoot = process.getuid?.() === 0

/** Runs `work` in a file system of its own, which only root can mount. */
async function inSmallFileSystem(options: string, work: (mounted: string) => Promise<void>): Promise<void> {
  const mounted = freshFolder()
  mkdirSync(mounted)
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'lifeboat-test', mounted])
  try {
    await work(mounted)
  } finally {
    execFileSync('umount', [mounted])
  }
}

test('temporary files, and files whose names are not keys, are not listed', async () => {
  const root = freshFolder()
  const store = new FileStore(root)
  await store.put('chunks/aa/object', Buffer.from('x'))
  writeFileSync(path.join(root, '.incoming/of-another-run'), 'half of an obj')
  mkdirSync(path.join(root, 'chunks/@eaDir'))
  writeFileSync(path.join(root, 'chunks/@eaDir/thumbnail'), '')
  writeFileSync(path.join(root, 'chunks/aa/object (copy)'), '')
  mkdirSync(path.join(root, 'lost+found'), { mode: 0o000 })
  expect((await all(store.list(''))).map(({ key }) => key)).toEqual(['chunks/aa/object'])
  expect((await all(store.list('chunks/'))).map(({ key }) => key)).toEqual(['chunks/aa/object'])
})

test('a put leaves no temporary file, and nobody but the owner can read what it wrote', async () => {
  const root = freshFolder()
  await new FileStore(root).put('chunks/aa/object', Buffer.from('x'))
  expect(readdirSync(path.join(root, '.incoming'))).toEqual([])
  for (const name of ['', 'chunks', 'chunks/aa', '.incoming', 'chunks/aa/object']) expect(statSync(path.join(root, name)).mode & 0o077).toBe(0)
})

test.each(['', '.', '..', '../outside', 'a/../../outside', 'a/./b', '/etc/passwd', 'a//b', 'a/', '/a', 'a b', 'a\0b', 'a\nb', 'ä', String.raw`a\b`, '~', 'a:b'])(
  'the key %j is refused, and nothing is touched',
  async (key) => {
    const root = freshFolder()
    const store = new FileStore(path.join(root, 'store'))
    for (const use of [store.put(key, Buffer.from('x')), store.get(key, ANY_SIZE), store.delete(key)]) await expect(use).rejects.toThrow('is not a key of an object')
    expect(existsSync(root)).toBe(false)
  },
)

test('a prefix leads nowhere else either', async () => {
  const store = new FileStore(path.join(freshFolder(), 'store'))
  for (const prefix of ['../', '../../etc/', 'a/../../', '/etc/']) await expect(all(store.list(prefix))).rejects.toThrow('is not a key of an object')
})

async function fullDiskTest(root: string): Promise<void> {
  const store = new FileStore(root)
  await store.put('earlier', noise('earlier', 100_000))
  const error = await thrownBy(store.put('chunks/aa/large', noise('large', 4_000_000)))
  expect(error.message).toMatch(new RegExp(`^cannot write chunks/aa/large to file:${root}: ENOSPC`))
  expect(error.hint).toContain('The disk is full')
  await expect(store.get('chunks/aa/large', ANY_SIZE)).rejects.toThrow(NotFound)
  expect(noise('earlier', 100_000).equals(await store.get('earlier', ANY_SIZE))).toBe(true)
  expect(readdirSync(path.join(root, '.incoming'))).toEqual([])
  await store.put('later', noise('later', 100_000))
  expect((await all(store.list(''))).map(({ key }) => key).toSorted()).toEqual(['earlier', 'later'])
  await store.close()
}

/** Runs a module in a Node of its own, as `wrapper` starts it; with one thread for files, since strace counts the calls of each. */
function nodeUnder(wrapper: string[], code: string): { status: number | null; signal: string | null; output: string } {
  const module = path.join(import.meta.dirname, '../../src/stores/file/store.ts')
  const [program, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', `import { FileStore } from ${JSON.stringify(module)}\n${code}`]
  const { status, signal, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000, env: { ...process.env, UV_THREADPOOL_SIZE: '1' } })
  return { status, signal, output: stdout + stderr }
}

if (asRoot) {
  test('a full disk fails the put, leaves nothing of it, and what was there stays (a small tmpfs)', async () => {
    await inSmallFileSystem('size=1m', (mounted) => fullDiskTest(path.join(mounted, 'store')))
  })

  test('the free space of a disk is told, also before the store is made', async () => {
    await inSmallFileSystem('size=1m', async (mounted) => {
      const store = new FileStore(path.join(mounted, 'not/yet/made'))
      expect(await store.free()).toBe(1024 * 1024)
      await store.put('object', noise('x', 300_000))
      expect(await store.free()).toBeLessThan(1024 * 1024 - 300_000)
    })
  })

  test('with mounted=true nothing is written unless a disk is mounted, and later neither', async () => {
    const root = freshFolder()
    mkdirSync(root)
    const error = await thrownBy(new FileStore(root, { mounted: true }).put('object', Buffer.from('x')))
    expect(error.message).toBe(`no disk is mounted at ${root}, nor above it`)
    expect(readdirSync(root)).toEqual([])
    await inSmallFileSystem('size=1m', async (mounted) => {
      const store = new FileStore(path.join(mounted, 'store'), { mounted: true })
      await store.put('object', Buffer.from('x'))
      expect((await store.get('object', ANY_SIZE)).toString()).toBe('x')
    })
  })

  test('a store that was on a disk of its own is not made again beside it: this machine keeps it in mind', async () => {
    const remembered = freshFolder()
    let root = ''
    await inSmallFileSystem('size=1m', async (mounted) => {
      root = path.join(mounted, 'store')
      for (const turn of ['first', 'second']) await new FileStore(root, { mounted: undefined, remembered }).put('object', Buffer.from(turn))
      expect(readdirSync(remembered).map((note) => readFileSync(path.join(remembered, note), 'utf8'))).toEqual([`${root}\n`])
    })
    const error = await thrownBy(new FileStore(root, { mounted: undefined, remembered }).put('object', Buffer.from('x')))
    expect(error.message).toBe(`the store that was at ${root} has vanished with the disk it was on: none is mounted there, nor above it`)
    expect(error.hint).toContain(`file:${root}?mounted=false`)
    expect(existsSync(root)).toBe(false)
    await new FileStore(root, { mounted: false, remembered }).put('object', Buffer.from('meant'))
    // The store that exists now is where it was meant to be.
    await new FileStore(root, { mounted: undefined, remembered }).put('object', Buffer.from('again'))
    // A folder of the system's own disk is not kept in mind, and a home that cannot be read or written keeps nobody from a backup.
    await new FileStore(freshFolder(), { mounted: undefined, remembered }).put('object', Buffer.from('x'))
    expect(readdirSync(remembered)).toHaveLength(1)
    await inSmallFileSystem('size=1m', (mounted) => new FileStore(mounted, { mounted: undefined, remembered: path.join(root, 'object/not-a-folder') }).put('object', Buffer.from('x')))
    const unreadable = freshFolder()
    symlinkSync(unreadable, unreadable)
    await inSmallFileSystem('size=1m', (mounted) => new FileStore(mounted, { mounted: undefined, remembered: unreadable }).put('object', Buffer.from('x')))
  })

  test('a read-only file system can be read from, closed even with an abandoned file in it, but not written to', async () => {
    await inSmallFileSystem('size=1m', async (mounted) => {
      await new FileStore(mounted).put('object', Buffer.from('x'))
      const abandoned = path.join(mounted, '.incoming', randomUUID())
      writeFileSync(abandoned, '')
      utimesSync(abandoned, 1, 1)
      execFileSync('mount', ['-o', 'remount,ro', mounted])
      const store = new FileStore(mounted)
      expect((await store.get('object', ANY_SIZE)).toString()).toBe('x')
      expect(await all(store.list(''))).toHaveLength(1)
      const error = await thrownBy(store.put('other', Buffer.from('x')))
      expect(error.message).toMatch(/^cannot write other to .*: EROFS/)
      expect(error.hint).toContain('read-only')
      expect((await thrownBy(store.delete('object'))).message).toMatch(/^cannot delete object from .*: EROFS/)
      await store.close()
    })
  })
} else {
  test('a put that a limit of file sizes stops leaves nothing (in place of a full disk: only root can mount one)', async () => {
    const root = freshFolder()
    const { output } = nodeUnder(
      ['prlimit', '--fsize=1000000'],
      `process.on('SIGXFSZ', () => {})
       await new FileStore(${JSON.stringify(root)}).put('large', Buffer.alloc(4000000)).catch((error) => console.log(error.message))`,
    )
    expect(output).toContain('cannot write large')
    expect(await all(new FileStore(root).list(''))).toEqual([])
    expect(readdirSync(path.join(root, '.incoming'))).toEqual([])
  })

  test('a folder that we may not write to can be read from and closed, but not written to', async () => {
    const root = freshFolder()
    await new FileStore(root).put('object', Buffer.from('x'))
    chmodSync(root, 0o500)
    const store = new FileStore(root)
    expect((await store.get('object', ANY_SIZE)).toString()).toBe('x')
    const error = await thrownBy(store.put('chunks/other', Buffer.from('x')))
    expect(error.message).toMatch(/^cannot write chunks\/other to .*: EACCES/)
    expect(error.hint).toContain('the right to read and write')
    await store.close()
    chmodSync(root, 0o700)
  })
}

test('a store whose path is a file, or leads through one, says so and leaves it alone', async () => {
  const file = freshFolder()
  writeFileSync(file, 'a file')
  for (const root of [file, path.join(file, 'below')]) {
    const store = new FileStore(root)
    await expect(store.get('object', ANY_SIZE)).rejects.toThrow(NotFound)
    expect(await all(store.list(''))).toEqual([])
    const error = await thrownBy(store.put('object', Buffer.from('x')))
    expect(error.message).toMatch(/^cannot write object to .*: (EEXIST|ENOTDIR)/)
    expect(error.hint).toContain('name a folder')
  }
  expect(readFileSync(file, 'utf8')).toBe('a file')
})

test('files that killed runs left are removed by a run that wrote, once they are a day old', async () => {
  const root = freshFolder()
  const store = new FileStore(root)
  await store.put('object', Buffer.from('x'))
  const old = path.join(root, '.incoming', randomUUID())
  const young = path.join(root, '.incoming', randomUUID())
  for (const [file, hours] of [[old, 25], [young, 23]] as const) {
    writeFileSync(file, 'half of an obj')
    utimesSync(file, Date.now() / 1000 - hours * 3600, Date.now() / 1000 - hours * 3600)
  }
  await new FileStore(root).close()
  expect(existsSync(old)).toBe(true)
  await store.close()
  expect(existsSync(old)).toBe(false)
  expect(existsSync(young)).toBe(true)
  expect((await store.get('object', ANY_SIZE)).toString()).toBe('x')
})

/** The calls of the system that one put of `chunks/aa/object` makes, by what they do to which file of the store. */
function callsOfPut(root: string): string[] {
  const trace = `${root}.trace`
  const { status, output } = nodeUnder(
    ['strace', '-f', '-y', '-qq', '-s', '16', '-o', trace, '-e', 'trace=write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat'],
    `await new FileStore(${JSON.stringify(root)}).put('chunks/aa/object', Buffer.alloc(300000, 1))
     console.log('put has resolved')`,
  )
  expect([status, output]).toEqual([0, 'put has resolved\n'])
  const calls: string[] = []
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const call = /^\d+ +(\w+)\((.*)/.exec(line)
    if (!call) continue
    const [name, rest] = [call[1]!.replace('pwrite64', 'write').replace('fdatasync', 'fsync').replace(/renameat2?/, 'rename').replace('mkdirat', 'mkdir'), call[2]!]
    const file = /<([^>]+)>/.exec(rest)?.[1] ?? /"([^"]+)"/.exec(rest)?.[1] ?? ''
    if (rest.includes('put has resolved')) calls.push('resolved')
    else if (file === root || file.startsWith(`${root}/`)) calls.push(`${name} ${path.relative(root, file).replace(/[0-9a-f-]{36}/, 'temporary') || 'the store'}`)
    else if (name === 'fsync' && file === path.dirname(root)) calls.push('fsync the folder of the store')
  }
  return calls
}

test('a put writes, syncs, renames and syncs the folder, in this order, before it resolves (seen by strace)', () => {
  const calls = callsOfPut(freshFolder())
  const after = (call: string, earlier: string): void => {
    expect(calls).toContain(earlier)
    expect(calls.indexOf(call)).toBeGreaterThan(calls.lastIndexOf(earlier))
  }
  after('fsync .incoming/temporary', 'write .incoming/temporary')
  after('rename .incoming/temporary', 'fsync .incoming/temporary')
  after('fsync chunks/aa', 'rename .incoming/temporary')
  after('resolved', 'fsync chunks/aa')
  // Each folder durable in its own, too.
  for (const made of ['fsync chunks', 'fsync the store', 'fsync the folder of the store']) after('resolved', made)
})

test('folders that are there are synced as well: who made them may have been killed before that', () => {
  const root = freshFolder()
  mkdirSync(path.join(root, 'chunks/aa'), { recursive: true })
  const calls = callsOfPut(root)
  expect(calls.slice(0, calls.indexOf('resolved'))).toEqual(expect.arrayContaining(['fsync chunks', 'fsync the store']))
})

test.each([...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((when) => `fsync:when=${when}`), ...[1, 2, 3].map((when) => `rename:when=${when}`), 'mkdir:when=1', 'mkdir:when=3'])(
  'killed at %s, a put leaves the old object or the new one, and the next put succeeds',
  async (where) => {
    const root = freshFolder()
    const store = new FileStore(root)
    const [old, next] = [noise('old', 200_000), noise('next', 300_000)]
    await store.put('a/object', old)
    const [call, when] = where.split(':')
    const { signal } = nodeUnder(
      ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${call}:signal=KILL:${when}`],
      `const store = new FileStore(${JSON.stringify(root)})
       for (const key of ['b/object', 'a/object', 'c/object']) await store.put(key, Buffer.alloc(300000, 2))`,
    )
    expect(signal).toBe('SIGKILL')
    const seen = await store.get('a/object', ANY_SIZE)
    expect(seen.equals(old) || seen.equals(Buffer.alloc(300_000, 2))).toBe(true)
    for (const { key, size } of await all(store.list(''))) expect(size).toBe(key === 'a/object' ? seen.length : 300_000)
    await store.put('a/object', next)
    expect(next.equals(await new FileStore(root).get('a/object', ANY_SIZE))).toBe(true)
  },
)

test('a new store is not made in a folder for mounting disks when none is mounted there; one that is there, or is meant to be, is used', async () => {
  const place = freshFolder()
  mkdirSync(path.join(place, 'disk'), { recursive: true })
  for (const root of [path.join(place, 'disk'), path.join(place, 'disk/not/made'), path.join(place, 'other')]) {
    const refused = refuseUnmounted(root, { mounted: undefined, places: [place] })
    expect((await thrownBy(refused)).hint).toContain(`file:${root}?mounted=false`)
    await refuseUnmounted(root, { mounted: false, places: [place] })
    await refuseUnmounted(root, { mounted: undefined, places: [`${place}-elsewhere`] })
  }
  writeFileSync(path.join(place, 'disk/lifeboat.json'), '')
  await refuseUnmounted(path.join(place, 'disk'), { mounted: undefined, places: [place] })
  await expect(refuseUnmounted(path.join(place, 'disk'), { mounted: true, places: [place] })).rejects.toThrow('no disk is mounted')
  // Of a real system: /dev is a file system of its own.
  await refuseUnmounted('/dev/not-made', { mounted: undefined, places: ['/dev'] })
})

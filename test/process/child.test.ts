import { collect, ChildError, feed, runChild, startChild } from '../../src/process/child.ts'

const environment = { PATH: '/usr/bin:/bin' }
const shell = (script: string, options: { signal?: AbortSignal } = {}) => startChild('/bin/sh', ['-c', script], { environment, ...options })

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('no error was thrown')
}

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true // ESRCH: there is no such process.
  }
}

test('the output of a program is read whole', async () => {
  let size = 0
  for await (const bytes of startChild('head', ['-c', '30000000', '/dev/zero'], { environment }).stdout) size += bytes.length
  expect(size).toBe(30_000_000)
})

test('a piece of what it prints is given back when the second after it comes, so that nothing has to be collected', async () => {
  const pieces: Buffer[] = []
  for await (const bytes of startChild('dd', ['if=/dev/zero', 'bs=1M', 'count=5'], { environment }).stdout) {
    if (pieces.length > 1) expect(pieces.at(-2)).toHaveLength(0)
    expect(bytes.length).toBeGreaterThan(0)
    pieces.push(bytes)
  }
  expect(pieces.length).toBeGreaterThan(2)
})

test('output that was dropped, as nobody read it before the program ended, is not taken for an empty one', async () => {
  const child = shell('echo something')
  await child.exit
  expect((await failure(collect(child))).message).toBe('the output of sh was dropped before it was read')
})

test('output that ends because the program failed is an error, however much came before', async () => {
  const error = await failure(collect(shell('echo something; echo why >&2; exit 3')))
  expect(error).toBeInstanceOf(ChildError)
  expect(error).toMatchObject({ message: 'sh ended with exit status 3', exit: { status: 3, stderr: 'why\n' } })
})

test('output that ends because the program was killed is an error', async () => {
  const error = await failure(collect(shell('echo something; kill -9 $$')))
  expect(error.message).toBe('sh was ended by SIGKILL')
})

test('a program that closes its output early is judged by its exit status', async () => {
  const error = await failure(collect(shell('echo something; exec >&-; sleep 0.1; exit 1')))
  expect(error.message).toBe('sh ended with exit status 1')
})

test('a program that is not there is an error', async () => {
  const error = await failure(runChild('/nowhere/pg_dump', ['--version'], { environment }))
  expect(error.message).toBe('pg_dump could not be started: spawn /nowhere/pg_dump ENOENT')
})

test('the beginning and the end of a long stderr are kept', async () => {
  const child = shell('seq 1 100000 >&2; exit 1')
  await failure(collect(child))
  const { stderr } = await child.exit
  expect(stderr).toMatch(/^1\n2\n3\n[\d\n]*\n3498\n\d{5}\n/)
  expect(stderr.length).toBeLessThan((256 + 16) * 1024)
  expect(stderr.endsWith('99999\n100000\n')).toBe(true)
})

test('the environment given is the whole environment', async () => {
  process.env.LIFEBOAT_CHILD_TEST = 'secret'
  try {
    const { stdout } = await runChild('/usr/bin/env', [], { environment: { ONLY: 'this' } })
    expect(stdout).toBe('ONLY=this\n')
  } finally {
    delete process.env.LIFEBOAT_CHILD_TEST
  }
})

test('input goes through whole, with the reader setting the pace', async () => {
  const child = startChild('/usr/bin/wc', ['-c'], { environment })
  const printed = collect(child)
  await feed(child, Array.from({ length: 20 }, () => Buffer.alloc(1_000_000)))
  expect((await printed).trim()).toBe('20000000')
})

test('a program that needs no more input ends the feeding, and its exit status decides', async () => {
  for (const status of [0, 1]) {
    const child = shell(`head -c 10 >/dev/null; exit ${status}`)
    const printed = collect(child).then(() => 'well', () => 'badly')
    let asked = 0
    await feed(child, endless(() => asked++))
    expect(await printed).toBe(status === 0 ? 'well' : 'badly')
    expect(asked).toBeGreaterThan(0)
  }
})

test('fed to the end, an input is read on after a program that needs no more, so that its own check takes place', async () => {
  const child = shell('head -c 10 >/dev/null')
  const printed = collect(child)
  let given = 0
  async function* checked(): AsyncGenerator<Buffer> {
    for (; given < 50; given++) yield Buffer.alloc(100_000)
    throw new Error('the checksum is wrong')
  }
  await expect(feed(child, checked(), { toTheEnd: true })).rejects.toThrow('the checksum is wrong')
  expect(given).toBe(50)
  await printed
})

test('fed to the end, an input is left when the program failed', async () => {
  const child = shell('exit 1')
  const printed = failure(collect(child))
  await feed(child, endless(() => undefined), { toTheEnd: true })
  await printed
})

test('a program whose input breaks is killed and never sees an end of its input', async () => {
  const child = shell('cat >/dev/null; echo complete')
  const printed = failure(collect(child))
  await expect(feed(child, broken())).rejects.toThrow('damaged')
  expect((await printed).message).toBe('sh was ended by SIGTERM')
})

test('an abort ends the program, and the error is its reason', async () => {
  const abort = new AbortController()
  const child = shell('echo $$; exec sleep 100', { signal: abort.signal })
  let pid = 0
  const error = await failure(
    (async () => {
      for await (const bytes of child.stdout) {
        pid = Number(bytes.toString())
        abort.abort(new Error('interrupted'))
      }
    })(),
  )
  expect(error.message).toBe('interrupted')
  expect(isGone(pid)).toBe(true)
})

test('a program that ignores SIGTERM is killed', async () => {
  const abort = new AbortController()
  const child = shell('trap "" TERM; echo ready; while :; do read -r line; done', { signal: abort.signal })
  const error = await failure(
    (async () => {
      for await (const _ of child.stdout) abort.abort(new Error('interrupted'))
    })(),
  )
  expect(error.message).toBe('interrupted')
  expect((await child.exit).signal).toBe('SIGKILL')
})

test('nothing is started after an abort', () => {
  expect(() => shell('true', { signal: AbortSignal.abort(new Error('interrupted')) })).toThrow('interrupted')
})

test('leaving the output early ends the program', async () => {
  const child = startChild('/usr/bin/yes', [], { environment })
  for await (const bytes of child.stdout) {
    expect(bytes.length).toBeGreaterThan(0)
    break
  }
  expect((await child.exit).status).not.toBe(0)
})

async function* broken(): AsyncGenerator<Buffer> {
  yield Buffer.from('half')
  throw new Error('damaged')
}

async function* endless(asked: () => void): AsyncGenerator<Buffer> {
  for (;;) {
    asked()
    yield Buffer.alloc(100_000)
  }
}

test('a piece that was fed can be used again by the caller, except with `spent`', async () => {
  const piece = Buffer.alloc(200_000, 'x')
  for (const spent of [false, true]) {
    const child = startChild('cat', [], { environment })
    const printed = collect(child)
    await feed(child, [piece], { spent })
    expect(await printed).toBe('x'.repeat(200_000))
    expect(piece).toHaveLength(spent ? 0 : 200_000)
  }
})

test('the output of one program reaches another unchanged, while that does not read', async () => {
  const from = shell('seq 1 2000000')
  const to = shell('sleep 0.5; cksum')
  const read = collect(to)
  from.end()
  await feed(to, from.stdout)
  expect(await read).toBe(await collect(shell('seq 1 2000000 | cksum')))
})

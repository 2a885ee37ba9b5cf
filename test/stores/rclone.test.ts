import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseRclone } from '../../src/stores/rclone/destination.ts'
import { RcloneStore } from '../../src/stores/rclone/store.ts'
import { failureIn, RcloneLog } from '../../src/stores/rclone/log.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { thrownBy } from '../support/thrown.ts'
import { storeContract } from './contract.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-rclone-'))
const config = path.join(folder, 'rclone.conf')
writeFileSync(config, `[disk]\ntype = alias\nremote = ${folder}/remote\n`)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0

function storeAt(text: string, { variables = {}, signal = new AbortController().signal }: { variables?: Record<string, string>; signal?: AbortSignal } = {}): RcloneStore {
  return new RcloneStore(parseRclone(text), { timeout: 30_000, pause: 50, signal, variables: { PATH: process.env['PATH'], HOME: folder, RCLONE_CONFIG: config, ...variables } })
}

/** The processes that serve a remote, by their arguments as everyone on the machine sees them. */
function serving(text: string): { pid: number; args: string[] }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      return args.includes('webdav') && args.includes(text.replace('rclone:', '')) ? [{ pid: Number(name), args }] : []
    } catch {
      // It ended since the folder was read.
      return []
    }
  })
}

storeContract('a remote of rclone', async () => {
  const text = `rclone:disk:store-${++count}`
  const opened: RcloneStore[] = []
  const open = (): RcloneStore => {
    // As it sees what other runs put at once, which costs listings.
    const store = storeAt(text, { variables: { RCLONE_DIR_CACHE_TIME: '0s' } })
    opened.push(store)
    return store
  }
  return {
    store: open(),
    reopen: async () => open(),
    close: async () => {
      for (const store of opened) await store.close()
      rmSync(path.join(folder, `remote/store-${count}`), { recursive: true, force: true })
    },
  }
  // Few, as every one costs a dozen listings that way. Its server deletes what is in the way of a move.
}, { many: 200, gap: true })

test('a put is on the remote when it resolves, and leaves no temporary file', async () => {
  const store = storeAt('rclone:disk:durable')
  await store.put('chunks/aa/object', noise('object', 3_000_000))
  expect(readFileSync(path.join(folder, 'remote/durable/chunks/aa/object')).equals(noise('object', 3_000_000))).toBe(true)
  expect(readdirSync(path.join(folder, 'remote/durable/.incoming'))).toEqual([])
  await store.close()
})

test('objects that another run puts are seen within seconds', async () => {
  const [one, other] = [storeAt('rclone:disk:shared'), storeAt('rclone:disk:shared')]
  await one.put('snapshots/first', Buffer.from('x'))
  expect(await all(other.list('snapshots/'))).toHaveLength(1)
  await one.put('snapshots/second', Buffer.from('x'))
  while ((await all(other.list('snapshots/'))).length < 2) await sleep(100)
  expect((await other.get('snapshots/second', ANY_SIZE)).toString()).toBe('x')
  await one.close()
  await other.close()
})

test('no secret is in an argument, nobody gets in without it, and the process is gone after close', async () => {
  const text = 'rclone:disk:served'
  const store = storeAt(text)
  await store.put('object', Buffer.from('x'))
  const [process_, ...others] = serving(text)
  expect(others).toEqual([])
  expect(process_!.args.join(' ')).not.toMatch(/--user|--pass /)
  const password = /RCLONE_PASS=([^\0]*)/.exec(readFileSync(`/proc/${process_!.pid}/environ`, 'utf8'))![1]!
  expect(password).toHaveLength(32)
  expect(process_!.args.join(' ')).not.toContain(password)
  await store.close()
  expect(serving(text)).toEqual([])
})

test('an abort ends rclone, and the store can be closed', async () => {
  const controller = new AbortController()
  const text = 'rclone:disk:aborted'
  const store = storeAt(text, { signal: controller.signal })
  await store.put('object', Buffer.from('x'))
  const putting = store.put('large', noise('large', 16_000_000))
  controller.abort(new Error('interrupted'))
  await expect(putting).rejects.toThrow('interrupted')
  await store.close()
  expect(serving(text)).toEqual([])
})

test('an rclone that dies is named as the reason', async () => {
  const text = 'rclone:disk:killed'
  const store = storeAt(text)
  await store.put('object', Buffer.from('x'))
  for (const { pid } of serving(text)) process.kill(pid, 'SIGKILL')
  const error = await thrownBy(store.get('object', ANY_SIZE))
  expect(error.message).toContain('rclone, which serves rclone:disk:killed, has ended')
  await store.close()
})

test('a remote that is not configured, and a machine without rclone, are said', async () => {
  const unknown = storeAt('rclone:nowhere:x')
  const error = await thrownBy(unknown.get('object', ANY_SIZE))
  expect(error.message).toBe('rclone knows no remote nowhere')
  expect(error.hint).toContain('rclone listremotes')
  await unknown.close()
  const without = storeAt('rclone:disk:x', { variables: { PATH: folder } })
  expect((await thrownBy(without.get('object', ANY_SIZE))).message).toBe('rclone is needed for rclone:disk:x, and is not installed')
  await without.close()
})

test('the message of a failure has the words of rclone', async () => {
  mkdirSync(path.join(folder, 'remote/blocked'), { recursive: true })
  writeFileSync(path.join(folder, 'remote/blocked/chunks'), 'a file')
  const store = storeAt('rclone:disk:blocked')
  expect((await thrownBy(store.put('chunks/aa/object', Buffer.from('x')))).message).toContain('cannot write chunks/aa/object to rclone:disk:blocked')
  await store.close()
  expect(existsSync(path.join(folder, 'remote/blocked/chunks'))).toBe(true)
})

test('of what rclone logs, the last failure is told in one line, without the signature of a URL', () => {
  const log = new RcloneLog()
  log.add('2026/11/20 11:41:36 ERROR : old: gone\n')
  const since = log.length
  log.add('2026/11/20 11:41:37 ERROR : a: Failed to copy: Put "https://host/b/a?X-Amz-Credential=AKIA&X-Amz-Signature=0badcafe": EOF\n\tstatus code: 503')
  log.add(', request id: 1\n2026/11/20 11:41:38 NOTICE: S3 bucket b: using chunk size 5Mi\n2026/11/20 11:41:38 http: superfluous response.WriteHeader call\n')
  expect(log.failureSince(since)).toBe('ERROR : a: Failed to copy: Put "https://host/b/a": EOF status code: 503, request id: 1')
  expect(log.failureSince(log.length)).toBe('')
  log.add('x '.repeat(100_000))
  expect(log.failureSince(since)).toHaveLength(400)
  expect(failureIn('2026/11/20 11:41:36 Failed to create file system for "x:": didn\'t find section in config file\n')).toBe('Failed to create file system for "x:": didn\'t find section in config file')
})

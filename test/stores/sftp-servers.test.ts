import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseKnownHosts } from '../../src/net/ssh/known-hosts.ts'
import { inParallel } from '../../src/process/parallel.ts'
import { SftpStore, type SftpOptions } from '../../src/stores/sftp/store.ts'
import { all, noise } from '../support/bytes.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { type SftpServer, startDropbear, startProftpd, startRcloneSftp } from '../support/sftp-servers.ts'
import { storeContract } from './contract.ts'

let count = 0

function storeAt(on: SftpServer, folder: string, more: Partial<SftpOptions> = {}): SftpStore {
  return new SftpStore({
    text: 'sftp://test',
    target: { user: on.user, host: '127.0.0.1', port: on.port },
    access: { key: on.key, knownHosts: parseKnownHosts(on.knownHosts) },
    path: folder,
    timeout: 30_000,
    variables: {},
    signal: new AbortController().signal,
    ...more,
  })
}

const servers: Record<string, () => Promise<SftpServer>> = { dropbear: startDropbear, proftpd: startProftpd, 'rclone serve sftp': startRcloneSftp }

describe.each(Object.entries(servers))('%s', (name, start) => {
  let server: SftpServer
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server.stop())

  storeContract(`a folder of ${name}`, async () => {
    const folder = path.join(server.files, `store-${++count}`)
    const opened: SftpStore[] = []
    const open = (): SftpStore => {
      const store = storeAt(server, folder)
      opened.push(store)
      return store
    }
    return {
      store: open(),
      reopen: async () => open(),
      close: async () => {
        for (const store of opened) await store.close()
      },
    }
  }, { many: 300, gap: true, torn: name.startsWith('rclone') })
})

test('over a slow line, a server that is restarted costs what was under way, and not all that is put at the same time', async () => {
  const server = await startProftpd()
  const proxy = await startTcpProxy(server.port)
  const store = storeAt(server, path.join(server.files, 'store'), {
    target: { user: server.user, host: '127.0.0.1', port: proxy.port },
    access: { key: server.key, knownHosts: parseKnownHosts(server.knownHosts.replace(`:${server.port} `, `:${proxy.port} `)) },
    timeout: 60_000,
    pause: 100,
  })
  try {
    await store.put('chunks/aa/first', Buffer.from('x'))
    proxy.slow(1_000_000, 10)
    const before = proxy.carried
    const keys = Array.from({ length: 12 }, (_, index) => `chunks/aa/${index}`)
    const puts = inParallel(keys, 8, (key) => store.put(key, noise(key, 300_000)))
    while (proxy.carried - before < 2_000_000) await sleep(10)
    await server.restart()
    await puts
    expect(new Map((await all(store.list('chunks/aa/'))).map(({ key, size }) => [key, size]))).toEqual(new Map([['chunks/aa/first', 1], ...keys.map((key): [string, number] => [key, 300_000])]))
    expect(proxy.carried - before).toBeLessThan(3_600_000 + 1_400_000)
  } finally {
    await store.close()
    await proxy.close()
    await server.stop()
  }
})

import path from 'node:path'
import { parseKnownHosts } from '../../src/ssh/known-hosts.ts'
import { SftpStore, type SftpOptions } from '../../src/stores/sftp.ts'
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
  }, 60_000)
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

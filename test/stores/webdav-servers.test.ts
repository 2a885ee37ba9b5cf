import { rmSync } from 'node:fs'
import path from 'node:path'
import { WebdavStore, type WebdavOptions } from '../../src/stores/webdav.ts'
import { type OpenWebdavServer, startLighttpd, startNginx, startNpmWebdav, startRcloneWebdav } from '../support/webdav-servers.ts'
import { storeContract } from './contract.ts'

let count = 0

const storeAt = (base: string, more: Partial<WebdavOptions> = {}): WebdavStore =>
  new WebdavStore({ text: 'webdav://test', base, user: undefined, password: undefined, token: undefined, timeout: 30_000, signal: new AbortController().signal, ...more })

const servers: Record<string, () => Promise<OpenWebdavServer>> = { nginx: startNginx, lighttpd: startLighttpd, 'webdav-server of npm': startNpmWebdav, 'rclone serve webdav': startRcloneWebdav }

describe.each(Object.entries(servers))('%s', (name, start) => {
  let server: OpenWebdavServer
  beforeAll(async () => {
    server = await start()
  }, 60_000)
  afterAll(() => server.stop())

  storeContract(`a folder of ${name}`, async () => {
    const folder = `store-${++count}`
    const base = `${server.base}${folder}/`
    return {
      store: storeAt(base),
      reopen: async () => storeAt(base),
      close: async () => rmSync(path.join(server.files, folder), { recursive: true, force: true }),
    }
  }, { many: 300, gap: true, throughFiles: name === 'lighttpd' })
})

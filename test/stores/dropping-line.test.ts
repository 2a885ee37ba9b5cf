import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { parseKnownHosts } from '../../src/ssh/known-hosts.ts'
import { SftpStore } from '../../src/stores/sftp.ts'
import type { Store } from '../../src/stores/store.ts'
import { Uploads } from '../../src/stores/uploads.ts'
import { WebdavStore } from '../../src/stores/webdav.ts'
import { noise } from '../support/bytes.ts'
import { startDroppingLine } from '../support/dropping-line.ts'
import { backUp, digests, restored } from '../support/engine.ts'
import { startSshServer } from '../support/ssh-server.ts'
import { startApache } from '../support/webdav-server.ts'

const MIB = 1024 * 1024
const patience = { timeout: 60_000, pause: 10, signal: new AbortController().signal }
const now = (): Date => new Date()

interface Place {
  port: number
  folder: string
  open(port: number): Store
  stop(): Promise<void>
}

const places: Record<string, () => Promise<Place>> = {
  WebDAV: async () => {
    const server = await startApache()
    const { port, user, password, files } = server
    return { port, folder: path.join(files, 'store'), open: (at) => new WebdavStore({ text: 'webdav://test', base: `http://127.0.0.1:${at}/dav/store/`, user, password, token: undefined, ...patience }), stop: () => server.stop() }
  },
  SFTP: async () => {
    const server = await startSshServer()
    const { port, user, key, knownHosts, folder } = server
    const access = { key, knownHosts: parseKnownHosts(knownHosts.ed25519.replace(/^\S+/, '127.0.0.1')) }
    const store = path.join(folder, 'store')
    mkdirSync(store)
    return { port, folder: store, open: (at) => new SftpStore({ text: 'sftp://test', target: { user, host: '127.0.0.1', port: at }, access, path: store, variables: {}, ...patience }), stop: () => server.stop() }
  },
}

// 6 MiB for all uploads together are less than 200 KB for each of 32, and a chunk has 1.2 MB on average.
test.each(Object.keys(places))('over a line that drops after every 6 MiB, a backup of 30 MiB to %s ends within three tries', async (kind) => {
  const place = await places[kind]!()
  const line = await startDroppingLine(place.port, { dropAfter: { bytes: 6 * MIB } })
  try {
    const content = { app: noise('a line that drops', 30 * MIB) }
    const endings: string[] = []
    while (endings.length < 3 && endings.at(-1) !== 'ended') {
      const store = place.open(line.port)
      await openOrMakeRepository(store)
      endings.push(await backUp({ store, resume: now, time: now() }, content).then(() => 'ended', (error: Error) => error.message))
      await store.close()
    }
    expect(endings.at(-1)).toBe('ended')
    expect(line.drops).toBeGreaterThan(4)
    const whole = place.open(place.port)
    expect(await restored(whole)).toEqual(digests(content))
    await whole.close()
    expect(readdirSync(path.join(place.folder, '.incoming')).length).toBeLessThan(10)
  } finally {
    await line.close()
    await place.stop()
  }
}, 180_000)

test('uploads: half as many after a loss, once for all that were lost together; one more after as many as there are have succeeded; none waits for what was given up', async () => {
  const uploads = new Uploads()
  const running = await Promise.all(Array.from({ length: 32 }, () => uploads.turn()))
  let begun = 0
  const waiting = Array.from({ length: 40 }, () => uploads.turn().then((end) => {
    begun++
    return end
  }))
  const failures = Promise.allSettled(waiting)
  await new Promise((resolve) => setImmediate(resolve))
  expect(begun).toBe(0)
  for (const end of running) end(true)
  await new Promise((resolve) => setImmediate(resolve))
  expect(begun).toBe(16)
  for (const end of await Promise.all(waiting.slice(0, 16))) end(false)
  await new Promise((resolve) => setImmediate(resolve))
  expect(begun).toBe(16 + 16)
  uploads.giveUp(new Error('given up'))
  expect((await failures).filter(({ status }) => status === 'rejected')).toHaveLength(8)
})

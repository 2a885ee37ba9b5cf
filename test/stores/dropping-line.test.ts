import { readdirSync } from 'node:fs'
import path from 'node:path'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { Uploads } from '../../src/stores/uploads.ts'
import { noise } from '../support/bytes.ts'
import { startDroppingLine } from '../support/dropping-line.ts'
import { type FolderPlace, sftpPlace, webdavPlace } from '../support/dropping-places.ts'
import { backUp, digests, restored } from '../support/engine.ts'

const MIB = 1024 * 1024
const patience = { timeout: 60_000, pause: 10, signal: new AbortController().signal }
const now = (): Date => new Date()

const places: Record<string, () => Promise<FolderPlace>> = { WebDAV: () => webdavPlace(patience), SFTP: () => sftpPlace(patience) }

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
})

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

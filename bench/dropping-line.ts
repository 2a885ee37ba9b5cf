// npm run bench:line -- [--megabytes 200] [--write]: a backup at 2 MB a second over a line that drops every 20 s, to each kind of server; it must end in its first try.
import { openOrMakeRepository } from '../src/repository/repository.ts'
import { noise } from '../test/support/bytes.ts'
import { startCeph } from '../test/support/ceph.ts'
import { startDroppingLine } from '../test/support/dropping-line.ts'
import { type Place, sftpPlace, webdavPlace } from '../test/support/dropping-places.ts'
import { digests, restored, Run } from '../test/support/engine.ts'
import { destinationOf, newBucket, openBucket } from '../test/support/s3-place.ts'
import { bench } from './harness.ts'

const [SECONDS, RATE] = [20, 2_000_000]
const patience = { timeout: 300_000, signal: new AbortController().signal }

const places: Record<string, () => Promise<Place>> = {
  'WebDAV (Apache)': () => webdavPlace(patience),
  'SFTP (OpenSSH)': () => sftpPlace(patience),
  'S3 (Ceph)': async () => {
    const ceph = await startCeph()
    const bucket = await newBucket(ceph)
    const { port } = new URL(ceph.endpoint)
    return { port: Number(port), open: (at) => openBucket(destinationOf({ ...ceph, endpoint: `http://127.0.0.1:${at}` }, bucket), patience), stop: () => ceph.stop() }
  },
}

await bench({ megabytes: 200 }, ({ megabytes, table }) => table('line', async (add) => {
  const content = { app: noise('a line that drops', megabytes * 1_000_000) }
  for (const [name, start] of Object.entries(places)) {
    const place = await start()
    const line = await startDroppingLine(place.port, { dropAfter: { seconds: SECONDS }, rate: RATE })
    try {
      const began = performance.now()
      const store = place.open(line.port)
      await openOrMakeRepository(store)
      const run = await Run.begin({ store, resume: () => new Date(), time: new Date() })
      await run.source('app', content.app)
      await run.commit()
      await store.close()
      add(`${megabytes} MB to ${name}`, 'Lifeboat', { seconds: (performance.now() - began) / 1000, drops: line.drops })
      const whole = place.open(place.port)
      if ((await restored(whole))['app'] !== digests(content)['app']) throw new Error(`${name}: something else was read back`)
      await whole.close()
    } finally {
      await line.close()
      await place.stop()
    }
  }
}))

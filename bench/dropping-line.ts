// A backup of 200 MB over a line that drops every 20 s, at 2 MB a second, and how many tries it takes: `node bench/dropping-line.ts [webdav|sftp|s3] [MB] [seconds] [bytes a second]`.
import { openOrMakeRepository } from '../src/repository/repository.ts'
import { noise } from '../test/support/bytes.ts'
import { startCeph } from '../test/support/ceph.ts'
import { startDroppingLine } from '../test/support/dropping-line.ts'
import { type Place, sftpPlace, webdavPlace } from '../test/support/dropping-places.ts'
import { digests, restored, Run } from '../test/support/engine.ts'
import { destinationOf, newBucket, openBucket } from '../test/support/s3-place.ts'

const [kind = 'webdav', megabytes = '200', seconds = '20', rate = '2000000'] = process.argv.slice(2)
const patience = { timeout: 300_000, signal: new AbortController().signal }

const places: Record<string, () => Promise<Place>> = {
  webdav: () => webdavPlace(patience),
  sftp: () => sftpPlace(patience),
  s3: async () => {
    const ceph = await startCeph()
    const bucket = await newBucket(ceph)
    const { port } = new URL(ceph.endpoint)
    return { port: Number(port), open: (at) => openBucket(destinationOf({ ...ceph, endpoint: `http://127.0.0.1:${at}` }, bucket), patience), stop: () => ceph.stop() }
  },
}

const place = await places[kind]!()
const line = await startDroppingLine(place.port, { dropAfter: { seconds: Number(seconds) }, rate: Number(rate) })
const content = { app: noise('a line that drops', Number(megabytes) * 1_000_000) }
try {
  for (let tries = 1; tries <= 5; tries++) {
    const began = performance.now()
    const store = place.open(line.port)
    let run: Run | undefined
    const backup = async (): Promise<string> => {
      await openOrMakeRepository(store)
      run = await Run.begin({ store, resume: () => new Date(), time: new Date() })
      await run.source('app', content.app)
      await run.commit()
      return 'ended'
    }
    const ending = await backup().catch((error: unknown) => String(error))
    await store.close().catch(() => undefined)
    const { newChunks = 0, added = 0, adopted = { chunks: 0, bytes: 0 } } = run?.writer ?? {}
    console.log(`${kind}, try ${tries}: ${ending}; ${Math.round((performance.now() - began) / 1000)} s, ${line.drops} drops so far, stored ${newChunks} chunks (${Math.round(added / 1e6)} MB), used ${adopted.chunks} (${Math.round(adopted.bytes / 1e6)} MB) of earlier tries`)
    if (ending === 'ended') break
  }
  const whole = place.open(place.port)
  console.log(`what was read back is ${(await restored(whole))['app'] === digests(content)['app'] ? 'the same' : 'SOMETHING ELSE'}`)
  await whole.close()
} finally {
  await line.close()
  await place.stop()
}

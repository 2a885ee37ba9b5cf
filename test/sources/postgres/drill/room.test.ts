import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { takeRoom } from '../../../../src/sources/postgres/drill/room.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-room-'))
afterAll(() => rmSync(folder, { recursive: true }))
const { signal } = new AbortController()
const free = (): number => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

test('a drill for which there is no room beside another waits for its end; one that is too large alone is refused', async () => {
  const release = await takeRoom(folder, 0.6 * free(), signal)
  const order: string[] = []
  const second = takeRoom(folder, 0.6 * free(), signal).then((give) => (order.push('second'), give))
  const small = await takeRoom(folder, 0.1 * free(), signal)
  small()
  small() // Gives back once.
  order.push('first ends')
  release()
  const give = await second
  expect(order).toEqual(['first ends', 'second'])
  give()
  await expect(takeRoom(folder, 10 * free(), signal)).rejects.toThrow(/ free, a drill needs about /)
})

test('a drill that waits is interrupted when the others end', async () => {
  const controller = new AbortController()
  const release = await takeRoom(folder, 0.6 * free(), controller.signal)
  const second = takeRoom(folder, 0.6 * free(), controller.signal)
  controller.abort(new Error('interrupted'))
  release()
  await expect(second).rejects.toThrow('interrupted')
  ;(await takeRoom(folder, 0.6 * free(), signal))()
})

import type { SourceRecord, StreamRecord } from '../../../src/repository/snapshot.ts'
import { emptyFacts } from '../../../src/sources/files/facts.ts'
import { encodeFile, type ListedFile } from '../../../src/sources/files/file-list.ts'
import { nameOf } from '../../../src/sources/files/listed-member.ts'
import { salvageVolume } from '../../../src/sources/files/salvage.ts'
import { memberHead, TAR_END } from '../../../src/sources/files/tar-member.ts'
import { memoryOf } from '../../support/used-heap.ts'

const ARCHIVES = 12
const EACH = 4000

/** An empty file; a folder of its own for every hundred. */
function fileAt(index: number): ListedFile {
  const folder = `folder ${Math.floor(index / 100)}`
  const directory = index % 100 === 0
  const path = directory ? folder : `${folder}/a file with a name as long as many are ${index}`
  return { type: directory ? 'd' : 'f', mode: directory ? '755' : '644', uid: 1000, gid: 1000, size: 0, mtime: '1700000000.5', path, target: '' }
}

function headOf(file: ListedFile): Buffer {
  const { mode, uid, gid, mtime } = file
  return memberHead({ name: nameOf(file), type: file.type === 'd' ? '5' : '0', size: 0, mode, uid: `${uid}`, gid: `${gid}`, mtime, linked: '' })
}

function* files(from: number, count: number): Generator<ListedFile> {
  for (let index = from; index < from + count; index++) yield fileAt(index)
}

const stream = (name: string, format: string, size: number): StreamRecord => ({ name, format, size, sum: '', chunks: [] })

test('a damaged volume needs few bytes of memory for each file, however many there are', async () => {
  const archives = Array.from({ length: ARCHIVES }, (_, place) => {
    const size = [...files(place * EACH, EACH)].reduce((sum, file) => sum + headOf(file).length, 0) + TAR_END.length
    return stream(`data.${place}.tar`, 'tar', size)
  })
  const listSize = [...files(0, ARCHIVES * EACH)].reduce((sum, file) => sum + encodeFile(file).length, 0)
  const entries = ARCHIVES * EACH
  const facts = { ...emptyFacts('/srv'), entries, files: entries, links: 1, segments: archives.map(() => ({ entries: EACH, digest: '' })) }
  const source: SourceRecord = { name: 'data', kind: 'directory', streams: [stream('data.list', 'tar-list', listSize), ...archives], facts }
  const last = archives.at(-1)!
  const used = await memoryOf(async (measure) => {
    const read = async function* ({ name }: StreamRecord) {
      const place = archives.findIndex((one) => one.name === name)
      // All that has been decided until now is in memory, and the lines of this archive.
      if (name === last.name) measure()
      const [from, count] = place < 0 ? [0, entries] : [place * EACH, EACH]
      for (let at = from; at < from + count; at += 500) {
        const some = [...files(at, 500)]
        yield place < 0 ? Buffer.from(some.map(encodeFile).join(''), 'latin1') : Buffer.concat(some.map(headOf))
      }
      if (place >= 0) yield TAR_END
    }
    const salvaged = await salvageVolume({ source, snapshot: '', read, readParts: read, holes: (one) => (one === last ? [{ start: 5120, end: 6144 }] : []), keepDamaged: false })
    expect(salvaged.remade).toBeGreaterThan(0)
    expect(salvaged.segments.map((segment) => segment.entries)).toEqual(archives.map(() => EACH))
    let listed = 0
    for await (const piece of salvaged.list()) listed += piece.toString('latin1').split('\n').length - 1
    expect(listed).toBe(entries)
  })
  // Each took 300 more as an object.
  expect(used / entries).toBeGreaterThan(10)
  expect(used / entries).toBeLessThan(180)
})

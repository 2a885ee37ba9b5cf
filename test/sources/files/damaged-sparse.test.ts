import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findSnapshot } from '../../../src/repository/catalog.ts'
import { type Extent, touches } from '../../../src/repository/extent.ts'
import { openKeys } from '../../../src/repository/open-keys.ts'
import { chunkKey, openManifest } from '../../../src/repository/snapshot.ts'
import { volumeFacts } from '../../../src/sources/files/facts.ts'
import { salvageVolume } from '../../../src/sources/files/salvage.ts'
import { type TarEntry, TarHeaders } from '../../../src/sources/files/tar-headers.ts'
import { TAR_END } from '../../../src/sources/files/tar-member.ts'
import { FileStore } from '../../../src/stores/file/store.ts'
import { all, inPieces, noise } from '../../support/bytes.ts'
import { identity } from '../../support/engine.ts'
import { readVolume, Volumes } from '../../support/volume.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-sparse-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const sh = (root: string, script: string): void => void execFileSync('bash', ['-euc', script], { cwd: root, stdio: 'pipe' })

/** Files with content beside sparse ones; `size`: bytes of the former. */
function made(name: string, size: number): string {
  const root = path.join(folder, name)
  mkdirSync(root)
  for (const file of ['a', 'c', 'e', 'h', 'j', 'l']) writeFileSync(path.join(root, file), noise(file, size))
  for (const file of ['b', 'g']) writeFileSync(path.join(root, file), noise(file, 20_000))
  writeFileSync(path.join(root, 'i'), Buffer.concat([noise('i', 65_536), Buffer.alloc(131_072), noise('I', 65_536)]))
  sh(root, `
    truncate -s 5M b; echo end >> b
    truncate -s 7M d
    for block in $(seq 0 2 80); do printf %4096s "$block" | dd of=f bs=4096 seek=$block conv=notrunc status=none; done
    truncate -s 1M g; ln g z
    setfattr -n user.large -v "$(head -c 3000 /dev/zero | tr '\\0' v)" h
    fallocate -d i`)
  // Other content of the same names, sizes and times, as an archive has it.
  const other = path.join(folder, `${name} before`)
  mkdirSync(other)
  for (const file of ['c', 'e', 'h']) writeFileSync(path.join(other, file), noise(`another ${file}`, size))
  sh(root, `
    find "../${name} before" . -exec touch -h -d @1600000000.25 {} +
    tar --create --format=posix --pax-option=delete=atime,delete=ctime --numeric-owner --directory "../${name} before" --file=k ./c ./e ./h
    find . -exec touch -h -d @1600000000.25 {} +`)
  return root
}

interface Place extends Extent, Pick<TarEntry, 'name' | 'type'> {
  content: number
  sparse: boolean
  /** Digests of the headers of a sparse file, and of its content. */
  bytes: string
}

function placesIn(tar: Buffer): Place[] {
  const places: Place[] = []
  let start = 0
  const headers = new TarHeaders(({ name, type }, head, attributes, padded) => {
    const content = start + head.reduce((sum, piece) => sum + piece.length, 0)
    const end = content + padded
    const sparse = attributes.has('GNU.sparse.size')
    places.push({ name, type, start, content, end, sparse, bytes: (sparse ? hash('sha256', Buffer.concat(head)) : '') + hash('sha256', tar.subarray(content, end)) })
    start = end
  })
  headers.push(tar)
  return places
}

test('two holes around and in sparse files hide no other file, and content of none passes for that of another', async () => {
  const root = made('small', 3000)
  await sleep(1100)
  const soon = { prefix: ['sh', '-c', 'for one; do shift; [ "$one" != "1 minute ago" ] || one="1 second ago"; set -- "$@" "$one"; done; exec "$@"', 'sh'] }
  const first = await readVolume(root, soon)
  // The sizes come along with a segment that is not read again.
  const { record, reused } = await readVolume(root, { ...soon, before: first.record })
  expect(reused).toEqual(['data.00001.tar'])
  const { sizes } = volumeFacts.parse(record.facts).segments[0]!
  const tar = first.streams.get('data.00001.tar')!
  const places = placesIn(tar)
  const named = (pairs: [number, number][]): string[] => pairs.map(([place]) => places[place]!.name)
  expect(places.filter(({ sparse }) => sparse).map(({ name }) => name)).toEqual(['./b', './d', './f', './g', './i'])
  expect([named(sizes!.sparse), named(sizes!.heads)]).toEqual([['./b', './d', './f', './g', './i'], ['./f', './h']])

  const edges = places.flatMap(({ start, content, end }) => [start, content - 512, ...(end > content ? [content, end - 512] : [])])
  const pairs = edges.flatMap((one, index) => edges.slice(index).map((other) => [one, other] as const))
  for (const [index, [one, other]] of pairs.entries()) {
    const holes = [{ start: one, end: one + 512 }, { start: other, end: other + 512 }]
    const bytes = Buffer.from(tar)
    for (const { start, end } of holes) bytes.fill(0, start, end)
    const read = ({ format, name }: { format: string; name: string }): AsyncIterable<Buffer> => inPieces(format === 'tar' && name === 'data.00001.tar' ? bytes : first.streams.get(name)!)
    const { lost, segments } = await salvageVolume({
      source: record, snapshot: '', read, readParts: read, keepDamaged: false, holes: ({ name }) => (name === 'data.00001.tar' ? holes : []),
    })
    const restored = Buffer.concat([...(await all(segments[0]!.bytes())).flatMap((piece) => piece), TAR_END])
    const isLost = ({ type, start, content, end, sparse }: Place): boolean => type === 'file' && touches({ start: sparse ? start : content, end }, holes)
    const expected = places.filter((place) => !isLost(place))
    const found = placesIn(restored)
    expect([holes, found.map(({ name, bytes }) => [name, bytes])]).toEqual([holes, expected.map(({ name, bytes }) => [name, bytes])])
    const gone = places.filter(isLost).map(({ name }) => name.slice(2))
    expect(lost.map(({ file }) => file.path)).toEqual([...gone, ...(gone.includes('g') ? ['z'] : [])])
    if (index % 97 > 0) continue
    const target = mkdtempSync(path.join(folder, 'extracted-'))
    execFileSync('tar', ['--extract', '--file=-', '--directory', target], { input: restored })
    for (const { name } of expected.filter(({ type }) => type === 'file'))
      expect([name, readFileSync(path.join(target, name)).equals(readFileSync(path.join(root, name)))]).toEqual([name, true])
    rmSync(target, { recursive: true })
  }
})

test('with lost chunks on both sides of sparse files, these and their neighbours are restored, as they were', async () => {
  const root = made('large', 1_500_000)
  const volumes = new Volumes(folder)
  await volumes.backup({ volumes: `data=${root}` })
  const store = new FileStore(volumes.store)
  const snapshot = await findSnapshot(store, await openKeys(identity, { store, create: false, onDamaged: () => undefined }), 'default', { kind: 'latest' })
  const [source] = (await openManifest(snapshot)).sources
  const archive = source!.streams.find(({ name }) => name === 'data.00001.tar')!
  const count = archive.chunks.length
  expect(count).toBeGreaterThan(6)
  let restoredSparse = 0
  for (const lost of [[0, count - 1], [1, count - 2], [2, 5], [3, 4]]) {
    const copy = mkdtempSync(path.join(folder, 'copy-'))
    const damaged = new Volumes(copy)
    cpSync(volumes.store, damaged.store, { recursive: true })
    for (const one of lost) {
      const [id, , , , mark] = snapshot.header.chunks[archive.chunks[one]!]!
      rmSync(path.join(damaged.store, chunkKey(id, mark)), { force: true })
    }
    const target = path.join(copy, 'target')
    const { missing = [] } = await damaged.restore({ target, 'skip-damaged': 'true' })
    const names = missing.map((text) => /^(?:file|link) (\S+) /.exec(text)![1]!)
    expect(names.length).toBeGreaterThan(0)
    for (const name of 'abcdefghijklz') {
      const there = existsSync(path.join(target, name))
      expect([lost, name, there]).toEqual([lost, name, !names.includes(name)])
      if (there) expect([name, readFileSync(path.join(target, name)).equals(readFileSync(path.join(root, name)))]).toEqual([name, true])
      if (there && 'bdfgi'.includes(name)) restoredSparse++
    }
    // A lost chunk touches two files and what is between them at most.
    expect(names.length).toBeLessThan(9)
    rmSync(copy, { recursive: true })
  }
  expect(restoredSparse).toBeGreaterThan(8)
})

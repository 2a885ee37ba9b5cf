// A second reader of lifeboat/1, written from docs/format.md alone: node:crypto, node:zlib and the stock `age` program, nothing of src/.
import { execFileSync } from 'node:child_process'
import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { zstdDecompressSync } from 'node:zlib'

export interface PlainStream {
  source: string
  name: string
  format: string
  bytes: Buffer
}

type Entry = [id: string, size: number, storedSize: number, base: number | null, mark: string]

interface Header {
  format: string
  id: string
  set: string
  key: string
  size: number
  chunks: Entry[]
  manifest: string
}

export const derive = (secret: string | Buffer, info: string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', `lifeboat/1 ${info}`, length))

export const writeSecret = (identity: string): Buffer => derive(identity, 'write secret', 32)

const sha256 = (bytes: Buffer | string): Buffer => createHash('sha256').update(bytes).digest()
export const mac = (key: Buffer, bytes: Buffer | string): string => createHmac('sha256', key).update(bytes).digest('hex')

/** Section 3: lengths and anchors of the chunks of `bytes`. */
export function cut(bytes: Buffer, gear: Buffer): { length: number; anchors: number[] }[] {
  const words = Array.from({ length: 256 }, (_, index) => gear.readUInt32LE(index * 4))
  const chunks: { length: number; anchors: number[] }[] = []
  let [hash, length, anchors] = [0, 0, new Set<number>()]
  const end = () => {
    chunks.push({ length, anchors: [...anchors].toSorted((a, b) => a - b).slice(0, 64) })
    ;[hash, length, anchors] = [0, 0, new Set()]
  }
  for (const [position, byte] of bytes.entries()) {
    hash = (2 * hash + words[byte]!) % 2 ** 32
    length++
    if (length >= 32 && hash < 2 ** 16) anchors.add(fnv1a(bytes.subarray(position - 31, position + 1)))
    if ((length >= 512 * 1024 && (hash & 0xfffff000) === 0) || length === 4 * 1024 * 1024) end()
  }
  if (length > 0) end()
  return chunks
}

function fnv1a(bytes: Buffer): number {
  return Number(bytes.reduce((hash, byte) => ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n, 0x811c9dc5n))
}

/** Section 5, for a store in a folder. `identityFile` holds the key's own identity, not that of an extra recipient. */
export class PlainReader {
  readonly #store: string
  readonly #identityFile: string
  readonly #idKey: Buffer
  readonly #macKey: Buffer

  constructor(store: string, identityFile: string) {
    demand(readFileSync(path.join(store, 'lifeboat.json'), 'utf8').trim() === '{"format":"lifeboat/1"}', 'the store is not lifeboat/1')
    const secret = writeSecret(/AGE-SECRET-KEY-[0-9A-Z-]+/.exec(readFileSync(identityFile, 'utf8'))![0])
    this.#store = store
    this.#identityFile = identityFile
    this.#idKey = derive(secret, 'chunk id', 32)
    this.#macKey = derive(secret, 'snapshot mac', 32)
  }

  /** `set/id` of every snapshot, oldest first. */
  snapshots(): string[] {
    const folder = path.join(this.#store, 'snapshots')
    if (!existsSync(folder)) return []
    return readdirSync(folder)
      .flatMap((set) => readdirSync(path.join(folder, set)).map((file) => `${set}/${file.replace(/\.json\.zst$/, '')}`))
      .toSorted((a, b) => path.basename(a).localeCompare(path.basename(b)))
  }

  header(snapshot: string): Header {
    const object = readFileSync(path.join(this.#store, 'snapshots', `${snapshot}.json.zst`))
    const [, key, written] = /^lifeboat\/1 ([0-9a-f]{16}) ([0-9a-f]{64})\n$/.exec(object.toString('latin1', 0, 93)) ?? []
    const frame = object.subarray(93)
    demand(written === mac(this.#macKey, frame), 'the MAC is wrong')
    const header: Header = JSON.parse(zstdDecompressSync(frame, { maxOutputLength: 2 ** 29 }).toString('utf8'))
    demand(header.key === key, 'the header is of another key')
    members(header, `format id set time key tags size added ${'partial' in header ? 'partial ' : ''}${'until' in header ? 'until ' : ''}recipients chunks manifest`)
    demand(header.format === 'lifeboat/1' && `${header.set}/${header.id}` === snapshot, 'the header is of another snapshot')
    for (const [id, size, storedSize, base, mark, ...rest] of header.chunks) {
      demand(/^[0-9a-f]{64}$/.test(id) && /^[0-9a-f]{8}$/.test(mark) && rest.length === 0, 'a chunk entry is malformed')
      demand(size >= 1 && size <= 8 * 1024 * 1024 && storedSize >= 1, 'a chunk size is out of range')
      demand(base === null || header.chunks[base]?.[3] === null, 'a base is a difference, or missing')
    }
    return header
  }

  /** Every stream of a snapshot, read and checked. */
  streams(snapshot: string): PlainStream[] {
    const { chunks, manifest, size } = this.header(snapshot)
    const json = JSON.parse(zstdDecompressSync(this.#age(Buffer.from(manifest, 'base64')), { maxOutputLength: 2 ** 29 }).toString('utf8'))
    members(json, `sources anchors spent description run lifeboat${'marks' in json ? ' marks' : ''}`)
    demand(json.anchors.length === chunks.length && json.spent.length === chunks.length, 'anchors or spent do not match the chunks')
    const opened = new Map<number, Buffer>()
    const open = (index: number): Buffer => {
      const bytes = opened.get(index) ?? this.#chunk(chunks[index]!, chunks[index]![3] === null ? undefined : open(chunks[index]![3]))
      opened.set(index, bytes)
      return bytes
    }
    const streams: PlainStream[] = []
    for (const source of json.sources) {
      members(source, 'name kind streams facts')
      for (const stream of source.streams) {
        members(stream, 'name format size sum chunks')
        const pieces: Buffer[] = stream.chunks.map(open)
        const bytes = Buffer.concat(pieces)
        demand(bytes.length === stream.size, `${stream.name} has ${bytes.length} bytes`)
        const sums = pieces.map((piece) => `${sha256(piece).toString('hex')}\n`).join('')
        demand(sha256(sums).toString('hex') === stream.sum, `${stream.name} has another sum`)
        streams.push({ source: source.name, name: stream.name, format: stream.format, bytes })
      }
    }
    demand(streams.reduce((sum, stream) => sum + stream.bytes.length, 0) === size, 'the size of all streams is another')
    return streams
  }

  #chunk([id, size, storedSize, , mark]: Entry, dictionary?: Buffer): Buffer {
    const sealed = readFileSync(path.join(this.#store, 'chunks', id.slice(0, 2), `${id}-${mark}`))
    demand(sealed.length === storedSize, `${id} is stored in ${sealed.length} bytes`)
    const bytes = zstdDecompressSync(this.#age(sealed), { maxOutputLength: size, ...(dictionary && { dictionary }) })
    demand(bytes.length === size && mac(this.#idKey, sha256(bytes)) === id, `${id} holds other bytes`)
    return bytes
  }

  #age(sealed: Buffer): Buffer {
    return execFileSync('age', ['-d', '-i', this.#identityFile], { input: sealed, maxBuffer: 2 ** 30, stdio: ['pipe', 'pipe', 'inherit'] })
  }
}

function demand(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise)
}

function members(value: object, names: string): void {
  demand(Object.keys(value).toSorted().join(' ') === names.split(' ').toSorted().join(' '), `members are not ${names}`)
}

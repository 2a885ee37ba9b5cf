import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Cutter, MAXIMUM_CHUNK } from '../../src/repository/chunker.ts'
import { openKeys } from '../../src/repository/keys.ts'
import { chunkId } from '../../src/repository/chunk-id.ts'
import { FileStore } from '../../src/stores/file.ts'
import { cut, derive, mac, writeSecret } from '../support/plain-reader.ts'

const document = readFileSync(path.join(import.meta.dirname, '../../docs/format.md'), 'utf8')
const rows = [...document.slice(document.indexOf('## 7.')).matchAll(/^\| ([^|]+) \| `([^|]+)` \|$/gm)]
const written = new Map(rows.map((row) => [row[1]!, row[2]!]))
const identity = written.get('identity')!

const idKey = derive(writeSecret(identity), 'chunk id', 32)
const macKey = (kind: string): Buffer => derive(writeSecret(identity), `${kind} mac`, 32)
const gear = derive(writeSecret(identity), 'gear table', 1024)

/** The long stream of the document: SHA-256 of 0, 1, 2, …, each as four bytes, the highest first. */
const stream = Buffer.concat(
  Array.from({ length: 2 ** 19 }, (_, index) => {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(index)
    return createHash('sha256').update(number).digest()
  }),
)
const chunks = cut(stream, gear)
const zeros = Buffer.alloc(5 * 1024 * 1024)

const word = (value: number) => value.toString(16).padStart(8, '0')

test('the test vectors in docs/format.md follow from its rules', () => {
  const recipient = execFileSync('age-keygen', ['-y'], { input: identity }).toString().trim()
  const [first, tenth] = [chunks[0]!, chunks[9]!]
  expect(Object.fromEntries(written)).toEqual({
    identity,
    recipient,
    fingerprint: createHash('sha256').update(recipient).digest('hex').slice(0, 16),
    'write secret': writeSecret(identity).toString('hex'),
    'write key': `lifeboat-write:${recipient}:${writeSecret(identity).toString('base64url')}`,
    'id key': idKey.toString('hex'),
    'mac keys: snapshot, labels, proof, trash, parts': ['snapshot', 'labels', 'proof', 'trash', 'parts'].map((kind) => macKey(kind).toString('hex')).join(' '),
    'gear[0], gear[255]': `${word(gear.readUInt32LE(0))} ${word(gear.readUInt32LE(1020))}`,
    'id of the chunk "lifeboat" and a line feed': mac(idKey, 'lifeboat\n'),
    'labels object of the body {"format":"lifeboat/1"}, its first line': `lifeboat/1 ${written.get('fingerprint')} ${mac(macKey('labels'), '{"format":"lifeboat/1"}')}`,
    'sizes of the chunks': chunks.map((chunk) => chunk.length).join(' '),
    'numbers of their anchors': chunks.map((chunk) => chunk.anchors.length).join(' '),
    'anchors of the first chunk, first and last': `${word(first.anchors[0]!)} ${word(first.anchors.at(-1)!)}`,
    'anchors of the tenth chunk, first and last': `${word(tenth.anchors[0]!)} ${word(tenth.anchors.at(-1)!)}`,
    'id of the first chunk': mac(idKey, stream.subarray(0, first.length)),
    'sizes of the chunks of 5 MiB of zero bytes': cut(zeros, gear).map((chunk) => chunk.length).join(' '),
  })
})

test('the engine derives, cuts and names as docs/format.md says', async () => {
  const keys = await openKeys(identity, { store: new FileStore('/nowhere'), create: false })
  expect(keys.fingerprint).toBe(written.get('fingerprint'))
  expect(chunkId(Buffer.from('lifeboat\n'), keys)).toBe(written.get('id of the chunk "lifeboat" and a line feed'))
  expect(cutByEngine(stream, keys.gear)).toEqual(chunks)
  expect(cutByEngine(zeros, keys.gear)).toEqual(cut(zeros, gear))
})

function cutByEngine(bytes: Buffer, table: Int32Array): { length: number; anchors: number[] }[] {
  const cutter = new Cutter(table)
  const found: { length: number; anchors: number[] }[] = []
  for (let start = 0; start < bytes.length; start += found.at(-1)!.length) {
    const rest = bytes.subarray(start, start + MAXIMUM_CHUNK)
    const length = cutter.scan(rest, 0, rest.length) || rest.length
    found.push({ length, anchors: [...cutter.finish()] })
  }
  return found
}

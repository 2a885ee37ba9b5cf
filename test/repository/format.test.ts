import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { identityToRecipient } from 'age-encryption'
import { Cutter, MAXIMUM_CHUNK } from '../../src/repository/chunker.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { recoveryFiles } from '../../src/repository/recovery.ts'
import { chunkId, chunkSum } from '../../src/repository/sums.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { cut, derive, mac, PlainReader, writeSecret } from '../support/plain-reader.ts'
import { recover } from '../support/recover-script.ts'

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

const texts = ['the tide comes in and goes out\n'.repeat(8), `${'the tide comes in and goes out\n'.repeat(7)}the tide stays out\n`]
const postQuantum = written.get('post-quantum identity')!

const idOf = (bytes: string | Buffer): string => mac(idKey, createHash('sha256').update(bytes).digest())
const sha256 = (bytes: string): string => createHash('sha256').update(bytes).digest('hex')
const recipientOf = (of: string): string => execFileSync('age-keygen', ['-y'], { input: of }).toString().trim()
const word = (value: number) => value.toString(16).padStart(8, '0')

test('the test vectors in docs/format.md follow from its rules', async () => {
  const recipient = recipientOf(identity)
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
    'id of the chunk "lifeboat" and a line feed': idOf('lifeboat\n'),
    'labels object of the body {"format":"lifeboat/1"}, its first line': `lifeboat/1 ${written.get('fingerprint')} ${mac(macKey('labels'), '{"format":"lifeboat/1"}')}`,
    'sizes of the chunks': chunks.map((chunk) => chunk.length).join(' '),
    'numbers of their anchors': chunks.map((chunk) => chunk.anchors.length).join(' '),
    'anchors of the first chunk, first and last': `${word(first.anchors[0]!)} ${word(first.anchors.at(-1)!)}`,
    'anchors of the tenth chunk, first and last': `${word(tenth.anchors[0]!)} ${word(tenth.anchors.at(-1)!)}`,
    'id of the first chunk': idOf(stream.subarray(0, first.length)),
    'sizes of the chunks of 5 MiB of zero bytes': cut(zeros, gear).map((chunk) => chunk.length).join(' '),
    // Sealed objects have random file keys: the next test opens them.
    ...Object.fromEntries(['extra identity', 'snapshot object', 'object of the first chunk of text', 'object of the second chunk of text'].map((name) => [name, written.get(name)])),
    'tag of the extra recipient': mac(derive(writeSecret(identity), 'recipient tag', 32), recipientOf(written.get('extra identity')!)).slice(0, 16),
    'id of the first chunk of text': idOf(texts[0]!),
    'id of the second chunk of text': idOf(texts[1]!),
    'sum of the stream': sha256(texts.map((text) => `${sha256(text)}\n`).join('')),
    'post-quantum identity': postQuantum,
    'SHA-256 of its recipient': sha256(await identityToRecipient(postQuantum)),
    'its fingerprint': sha256(await identityToRecipient(postQuantum)).slice(0, 16),
    'its write secret': writeSecret(postQuantum).toString('hex'),
    'its id key': derive(writeSecret(postQuantum), 'chunk id', 32).toString('hex'),
  })
})

test('the sealed snapshot of docs/format.md opens as its rules say, with the key and with the extra identity', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-vectors-'))
  try {
    const put = (key: string, bytes: string | Buffer): void => {
      mkdirSync(path.dirname(path.join(folder, key)), { recursive: true })
      writeFileSync(path.join(folder, key), bytes)
    }
    const objectOf = (name: string): Buffer => Buffer.from(written.get(name)!, 'base64')
    put('lifeboat.json', '{"format":"lifeboat/1"}')
    put('snapshots/vectors/20261120T020000Z-5f3a9c1e.json.zst', objectOf('snapshot object'))
    for (const name of ['first', 'second']) {
      const id = written.get(`id of the ${name} chunk of text`)!
      put(`chunks/${id.slice(0, 2)}/${id}-5f3a9c1e`, objectOf(`object of the ${name} chunk of text`))
    }
    put('identity.txt', `${identity}\n`)
    put('extra.txt', `${written.get('extra identity')}\n`)
    const [stream] = new PlainReader(folder, path.join(folder, 'identity.txt')).streams('vectors/20261120T020000Z-5f3a9c1e')
    expect(stream).toMatchObject({ source: 'app', name: 'app.dump' })
    expect(stream!.bytes.toString()).toBe(texts.join(''))
    for (const { key, bytes } of recoveryFiles()) put(key, bytes)
    const { status, stdout } = recover(folder, ['extract', '20261120T020000Z-5f3a9c1e', 'app/app.dump', '-i', path.join(folder, 'extra.txt'), '--unauthenticated'])
    expect([status, stdout.toString()]).toEqual([0, texts.join('')])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the engine derives, cuts and names as docs/format.md says', async () => {
  const keys = await openKeys(identity, { store: new FileStore('/nowhere'), create: false })
  expect(keys.fingerprint).toBe(written.get('fingerprint'))
  expect(chunkId(chunkSum(Buffer.from('lifeboat\n')), keys)).toBe(written.get('id of the chunk "lifeboat" and a line feed'))
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

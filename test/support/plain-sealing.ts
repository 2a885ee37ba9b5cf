// Takes the place of src/repository/sealing in long runs of models (in-process.ts): nothing is encrypted and no thread works, so that a seed
// decides a run to its last step, and a step takes a fraction of the time. As with age, only the recipients open an object, and one that was
// changed is not opened.
import { createHash } from 'node:crypto'
import { identityToRecipient } from 'age-encryption'
import { chunkId, chunkSum } from '../../src/repository/sums.ts'
import { compress, decompress, difference as differenceFrom } from '../../src/repository/sealing/zstd.ts'

const recipients = new Map<string, string>()

export async function encrypt(plaintext: Uint8Array, to: readonly string[]): Promise<Buffer> {
  return Buffer.concat([Buffer.from(`plain ${sumOf(to, plaintext)} ${to.join(' ')}\n`), plaintext])
}

export async function decrypt(sealed: Uint8Array, identity: string): Promise<Buffer> {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  const end = bytes.indexOf('\n')
  const [form, sum, ...to] = bytes.toString('latin1', 0, end).split(' ')
  const own = recipients.get(identity) ?? (await identityToRecipient(identity))
  recipients.set(identity, own)
  const plaintext = bytes.subarray(end + 1)
  if (form !== 'plain' || !to.includes(own)) throw new Error('it is not sealed to this identity')
  if (sumOf(to, plaintext) !== sum) throw new Error('it was changed')
  return plaintext
}

interface Sealing {
  recipients: readonly string[]
  difference?: { base: Uint8Array; expected: number }
}

export async function seal(plaintext: Uint8Array, { recipients: to, difference }: Sealing): Promise<{ sealed: Buffer; level: number | undefined }> {
  const small = difference && differenceFrom(plaintext, difference.base)
  const pays = small !== undefined && small.length <= 0.7 * difference!.expected
  return { sealed: await encrypt(pays ? small : compress(plaintext, 1), to), level: pays ? undefined : 1 }
}

interface Opening {
  identity: string
  idKey: Buffer
  size: number
  base?: Uint8Array
}

export async function unseal(sealed: Uint8Array, { identity, idKey, size, base }: Opening): Promise<{ plaintext: Buffer; id: string; sum: string }> {
  const plaintext = decompress(await decrypt(sealed, identity), size, base)
  const sum = chunkSum(plaintext)
  return { plaintext, id: chunkId(sum, { idKey }), sum }
}

function sumOf(to: readonly string[], bytes: Uint8Array): string {
  return createHash('sha1').update(to.join(' ')).update(bytes).digest('hex')
}

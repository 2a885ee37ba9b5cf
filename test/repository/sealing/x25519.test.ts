import { execFileSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Decrypter, identityToRecipient } from 'age-encryption'
import * as vectors from 'cctv-age'
import { newIdentity } from '../../../src/repository/keys.ts'
import { decrypt, encrypt, newHeader } from '../../../src/repository/sealing/age.ts'
import { headerOf, stanza, x25519FileKey, x25519Header, x25519Identity, x25519Recipient } from '../../../src/repository/sealing/x25519.ts'

const identities = await Promise.all(Array.from({ length: 20 }, () => newIdentity()))
const recipients = identities.map(({ recipient }) => recipient)
const hybrid = await newIdentity({ postQuantum: true })

test('a header for twenty recipients opens with each of their identities, by the library and by the age program', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-x25519-'))
  try {
    const sealed = await encrypt(Buffer.from('content'), recipients)
    for (const { identity } of identities) {
      const decrypter = new Decrypter()
      decrypter.addIdentity(identity)
      expect(Buffer.from(await decrypter.decrypt(sealed)).toString()).toBe('content')
    }
    for (const { identity } of [identities[0]!, identities.at(-1)!]) {
      const file = path.join(folder, 'identity')
      writeFileSync(file, `${identity}\n`, { mode: 0o600 })
      expect(execFileSync('age', ['-d', '-i', file], { input: sealed }).toString()).toBe('content')
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a header opens here with each of its identities, and with no other; changed anywhere, with none', async () => {
  const [first, second, other] = identities.map(({ identity }) => x25519Identity(identity)!)
  const { header, fileKey } = await newHeader(recipients.slice(0, 2))
  for (const identity of [first!, second!]) expect(x25519FileKey(header, identity)).toEqual(Buffer.from(fileKey))
  expect(x25519FileKey(header, other!)).toBeUndefined()
  // Also where base64 has bits that mean nothing: the last two of each text.
  for (let position = 0; position < header.length; position++) {
    for (const bit of [0, 1, 5]) {
      const changed = Buffer.from(header)
      changed[position]! ^= 1 << bit
      for (const identity of [first!, second!]) expect(x25519FileKey(changed, identity)).toBeUndefined()
    }
  }
  expect(x25519FileKey((await newHeader([recipients[0]!, hybrid.recipient])).header, first!)).toBeUndefined()
  expect(x25519Identity(hybrid.identity)).toBeUndefined()
})

test('no two headers share a file key or a share, and their buffers hold nothing else', async () => {
  const headers = await Promise.all(Array.from({ length: 3 }, () => newHeader([recipients[0]!])))
  expect(new Set(headers.map(({ fileKey }) => Buffer.from(fileKey).toString('hex'))).size).toBe(3)
  expect(new Set(headers.map(({ header }) => Buffer.from(header).toString().split('\n')[1])).size).toBe(3)
  // They are sent to a thread with all of the buffer that they lie in.
  for (const { header, fileKey } of headers) expect([header.buffer.byteLength, fileKey.buffer.byteLength]).toEqual([header.length, fileKey.length])
})

test('recipients of other types are left to the library, alone and beside X25519', async () => {
  for (const to of [[hybrid.recipient], [recipients[0]!, hybrid.recipient]]) {
    expect(x25519Recipient(hybrid.recipient)).toBeUndefined()
    expect((await decrypt(await encrypt(Buffer.from('content'), to), hybrid.identity)).toString()).toBe('content')
  }
  const { identity } = identities[0]!
  expect((await decrypt(await encrypt(Buffer.from('content'), [recipients[0]!, hybrid.recipient]), identity)).toString()).toBe('content')
})

test('a recipient with a letter changed, or none at all, is refused', async () => {
  const recipient = recipients[0]!
  const changed = `${recipient.slice(0, 20)}${recipient[20] === 'q' ? 'p' : 'q'}${recipient.slice(21)}`
  for (const wrong of [changed, recipient.slice(0, -1), 'age1', '']) await expect(newHeader([recipients[1]!, wrong])).rejects.toThrow()
})

test('a point of low order, with which everybody has the same secret, is refused', () => {
  expect(() => x25519Header([x25519Recipient(`age1${'q'.repeat(58)}`)!], Buffer.alloc(16))).toThrow()
})

/** Of the 32 bytes in a Bech32 text after its prefix. */
function bytesOf(text: string): Buffer {
  const bits = Array.from(text.slice(0, -6).toLowerCase(), (letter) => 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from(bits.slice(0, 256).match(/.{8}/g)!.map((byte) => parseInt(byte, 2)))
}

const PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex') // RFC 8410

test('the header of the CCTV vector of age comes out of its file key, share and identity, byte for byte', async () => {
  const vector = Buffer.from(vectors.x25519!).toString('latin1')
  const found = (form: RegExp): string => form.exec(vector)![1]!
  const [fileKey, identity, share] = [Buffer.from(found(/^file key: (.*)$/m), 'hex'), found(/^identity: (.*)$/m), Buffer.from(found(/^-> X25519 (.*)$/m), 'base64')]
  const { point } = x25519Recipient(await identityToRecipient(identity))!
  // The private key of the share is not known; the secret that it has with the recipient is that of the identity with the share.
  const privateKey = createPrivateKey({ format: 'der', type: 'pkcs8', key: Buffer.concat([PRIVATE, bytesOf(identity.slice('AGE-SECRET-KEY-1'.length))]) })
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x: share.toString('base64url') } })
  const header = headerOf([stanza({ share, point, secret: diffieHellman({ privateKey, publicKey }) }, fileKey)], fileKey)
  expect(Buffer.from(header).toString('latin1')).toBe(found(/^(age-encryption[^]*?\n--- .*\n)/m))
})

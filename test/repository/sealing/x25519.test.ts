import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Decrypter } from 'age-encryption'
import { newIdentity } from '../../../src/repository/keys.ts'
import { decrypt, encrypt, newHeader } from '../../../src/repository/sealing/age.ts'
import { x25519Header, x25519Recipient } from '../../../src/repository/sealing/x25519.ts'

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

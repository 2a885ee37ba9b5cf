import { Decrypter, Encrypter } from 'age-encryption'
import { passphraseIdentity, passphraseRecipient } from '../../../src/repository/sealing/passphrase.ts'

const PASSPHRASE = 'pässphrase with 25 letters'

async function sealed(work = 4): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  encrypter.addRecipient(passphraseRecipient(PASSPHRASE, work))
  return encrypter.encrypt('secret')
}

function open(bytes: Uint8Array, passphrase = PASSPHRASE, mostWork = 18): Promise<string> {
  const decrypter = new Decrypter()
  decrypter.addIdentity(passphraseIdentity(passphrase, mostWork))
  return decrypter.decrypt(bytes, 'text')
}

test('the age library opens what is sealed here', async () => {
  const decrypter = new Decrypter()
  decrypter.addPassphrase(PASSPHRASE)
  expect(await decrypter.decrypt(await sealed(), 'text')).toBe('secret')
})

test('files that the age library seals are opened here', async () => {
  const encrypter = new Encrypter()
  encrypter.setPassphrase(PASSPHRASE)
  encrypter.setScryptWorkFactor(5)
  expect(await open(await encrypter.encrypt('secret'))).toBe('secret')
})

test('another passphrase opens nothing, and neither do other bytes', async () => {
  const bytes = Buffer.from(await sealed())
  await expect(open(bytes, `${PASSPHRASE} `)).rejects.toThrow()
  bytes[60]! ^= 1
  await expect(open(bytes)).rejects.toThrow()
})

test('nothing is computed above the work factor that is allowed', async () => {
  const bytes = Buffer.from(Buffer.from(await sealed()).toString('latin1').replace(/(?<=-> scrypt \S+ )4\n/, '40\n'), 'latin1')
  await expect(open(bytes)).rejects.toThrow('work factor is 40, and 18 is the most')
})

test('a stanza beside it is refused', async () => {
  const encrypter = new Encrypter()
  encrypter.addRecipient(passphraseRecipient(PASSPHRASE, 4))
  encrypter.addRecipient(passphraseRecipient(PASSPHRASE, 4))
  await expect(open(await encrypter.encrypt('secret'))).rejects.toThrow('malformed scrypt stanza')
})

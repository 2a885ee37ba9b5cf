import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { type Identity, type Recipient, Stanza } from 'age-encryption'

/**
 * The scrypt recipient of age (https://age-encryption.org/v1, "The scrypt recipient type"). With node:crypto it takes a third of the time
 * that the age library takes, and its memory, 1 KiB x 2^work factor, is free again as soon as it is done.
 */
const LABEL = 'age-encryption.org/v1/scrypt'
const SALT = 16
const TAG = 16
const NONCE = Buffer.alloc(12)

/** Wraps file keys under a passphrase. `workFactor`: log2 of scrypt's N. */
export function passphraseRecipient(passphrase: string, workFactor: number): Recipient {
  return {
    async wrapFileKey(fileKey) {
      const salt = randomBytes(SALT)
      const cipher = createCipheriv('chacha20-poly1305', await wrappingKey(passphrase, salt, workFactor), NONCE, { authTagLength: TAG })
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
      return [new Stanza(['scrypt', salt.toString('base64').replaceAll('=', ''), String(workFactor)], body)]
    },
  }
}

/** Unwraps file keys under a passphrase; nothing is computed for a stanza of a work factor above `mostWork`. */
export function passphraseIdentity(passphrase: string, mostWork: number): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const [stanza] = stanzas
      const [type, salt = '', work = ''] = stanza?.args ?? []
      if (!stanza || type !== 'scrypt') return null
      if (
        stanzas.length !== 1 ||
        stanza.args.length !== 3 ||
        stanza.body.length !== 16 + TAG ||
        !/^[A-Za-z0-9+/]{22}$/.test(salt) ||
        !/^[1-9][0-9]?$/.test(work)
      )
        throw new Error('malformed scrypt stanza')
      if (Number(work) > mostWork) throw new Error(`its scrypt work factor is ${work}, and ${mostWork} is the most`)
      const decipher = createDecipheriv(
        'chacha20-poly1305', await wrappingKey(passphrase, Buffer.from(salt, 'base64'), Number(work)), NONCE, { authTagLength: TAG },
      )
      decipher.setAuthTag(stanza.body.subarray(-TAG))
      const fileKey = decipher.update(stanza.body.subarray(0, -TAG))
      try {
        decipher.final()
      } catch {
        return null // Another passphrase.
      }
      return fileKey
    },
  }
}

function wrappingKey(passphrase: string, salt: Buffer, workFactor: number): Promise<Buffer> {
  const N = 2 ** workFactor
  return derive(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), 32, { N, r: 8, p: 1, maxmem: 2 * 128 * 8 * N })
}

const derive: (
  password: string, salt: Buffer, length: number, options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer> = promisify(scrypt)

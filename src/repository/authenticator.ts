import type { Authenticator } from '../stores/store.ts'
import { cardOf } from './card.ts'
import type { Keys } from './keys.ts'
import { sign, signerOf, splitSigned } from './signed.ts'

/** Signs for a store whose objects come in groups, checks what it has, and describes it. */
export function authenticatorOf(keys: Keys): Authenticator {
  return {
    sign: (body) => sign(body, keys, 'parts'),
    authentic: (object) => {
      const signed = splitSigned(object)
      return signed && signerOf(signed, keys, 'parts') ? signed.body : undefined
    },
    card: (key, snapshot) => cardOf(key, snapshot, keys),
  }
}

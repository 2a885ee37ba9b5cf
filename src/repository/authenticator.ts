import type { Authenticator } from '../stores/store.ts'
import { cardOf } from './card.ts'
import type { Keys } from './keys.ts'
import { isOfAnotherKey, sign, signerOf, splitSigned } from './signed.ts'

/** Signs for a store whose objects come in groups, checks what it has, and describes it. */
export function authenticatorOf(keys: Keys): Authenticator {
  return {
    sign: (body) => sign(body, keys, 'parts'),
    authentic: (object) => {
      const signed = splitSigned(object)
      return signed && signerOf(signed, keys, 'parts') ? signed.body : undefined
    },
    otherKey: (object) => {
      const signed = splitSigned(object)
      return signed && isOfAnotherKey(signed, keys) ? { claimed: signed.key, given: keys.fingerprint } : undefined
    },
    card: (key, snapshot) => cardOf(key, snapshot, keys),
  }
}

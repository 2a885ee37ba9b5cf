import { type Group, one } from './group.ts'
import type { Input } from './input.ts'
import { text } from './schemas.ts'

export const encryptionKey = {
  help:
    'The key to the store: an age identity (AGE-SECRET-KEY-1…), a passphrase of at least 16 characters, or a write key ' +
    '(lifeboat-write:…), which can back up but not read.',
  expected: 'an age identity, a passphrase of at least 16 characters or a write key',
  example: 'the line AGE-SECRET-KEY-1… that `lifeboat key new` prints',
  schema: text,
  secret: true,
  unsent: true,
  variable: 'LIFEBOAT_ENCRYPTION_KEY',
} as const satisfies Input

export function requiredKey(help: string = encryptionKey.help): Group<string> {
  return one('encryption-key', { ...encryptionKey, help, required: true })
}

export function optionalKey(help: string): Group<string | undefined> {
  return one('encryption-key', { ...encryptionKey, help })
}

import { flagInput, timeZone } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { optionalKey, requiredKey } from '../../inputs/key.ts'
import * as schema from '../../inputs/schemas.ts'
import { access, destinationInput, requireStore } from '../../inputs/store.ts'

/** Where key files are, and how they are reached. */
const store = {
  destination: one('destination', {
    ...destinationInput,
    help: 'Where the store is, as for a backup. Passphrases of artifacts cannot be changed.',
    default: undefined,
    required: true,
  }),
  access: access(),
  timeZone,
} as const

export const listInputs = commandInputs(
  { ...store, key: optionalKey('Optional: with a passphrase, the list tells which of the files it opens.') },
  requireStore,
)

export const addInputs = commandInputs(
  {
    passphrase: one('new-passphrase', {
      once: true,
      help: 'The passphrase to add, of at least 16 characters.',
      expected: 'a passphrase of at least 16 characters',
      example: 'the output of `openssl rand -base64 24`',
      schema: schema.text,
      secret: true,
      variable: 'LIFEBOAT_NEW_PASSPHRASE',
      required: true,
    }),
    key: requiredKey('A key that opens the store now: the identity, or a passphrase.'),
    ...store,
  },
  requireStore,
)

export const removeInputs = commandInputs(
  {
    passphrase: one('old-passphrase', {
      once: true,
      help: 'The passphrase to remove: every key file that it opens.',
      expected: 'a passphrase of at least 16 characters',
      example: 'the passphrase that was used so far',
      schema: schema.text,
      secret: true,
      variable: 'LIFEBOAT_OLD_PASSPHRASE',
    }),
    name: one('name', {
      help: 'Instead of old-passphrase: the key file to remove.',
      expected: 'a name that `lifeboat key list` shows',
      example: '87d7b0a058d94072-5f3a9c1e.age',
      schema: schema.text,
      positional: true,
    }),
    force: one('force', { ...flagInput, once: true, help: 'Remove them even if the key given does not open the store afterwards.' }),
    key: optionalKey('A key that stays, and opens the store afterwards: the identity, or another passphrase.'),
    ...store,
  },
  requireStore,
)

export type KeyListInputs = SlicesOf<typeof listInputs>
export type KeyAddInputs = SlicesOf<typeof addInputs>
export type KeyRemoveInputs = SlicesOf<typeof removeInputs>

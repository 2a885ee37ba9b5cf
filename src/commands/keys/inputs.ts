import { flagInput } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { access, destinationInput, requireStore } from '../../inputs/store.ts'

export const newInputs = commandInputs({
  postQuantum: one('post-quantum', {
    ...flagInput,
    help: 'Make an identity that a quantum computer cannot break. Recovery without Lifeboat then needs age 1.3 or newer.',
  }),
})

export const writeInputs = commandInputs(
  {
    key: requiredKey('The key to make a write key of: an age identity, or the passphrase of a store.'),
    destination: one('destination', { ...destinationInput, help: 'The store, which is needed for a passphrase.', default: undefined }),
    access: access(),
  },
  ({ destination, access }, variables) => {
    if (destination !== undefined) requireStore({ destination, access }, variables)
  },
)

export type KeyNewInputs = SlicesOf<typeof newInputs>
export type KeyWriteInputs = SlicesOf<typeof writeInputs>

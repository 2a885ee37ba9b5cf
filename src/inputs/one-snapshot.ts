import { timeZone } from './display.ts'
import { requiredKey } from './key.ts'
import { setLookedIn } from './snapshot.ts'
import { access, destination } from './store.ts'

/** The groups that commands about one snapshot have besides. */
export const oneSnapshot = {
  key: requiredKey('The key that the snapshot was made with, in any of its forms: a write key is enough.'),
  destination,
  set: setLookedIn,
  access: access(),
  timeZone,
} as const

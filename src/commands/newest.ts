import type { Environment } from '../environment.ts'
import type { Inputs } from '../inputs.ts'
import type { Newest } from '../report/newest.ts'
import { newestSnapshots, snapshotKeys } from '../repository/catalog.ts'
import { openKeys } from '../repository/keys.ts'
import { checkListing } from '../repository/listing.ts'
import { openRepository } from '../repository/repository.ts'
import type { Destination } from '../stores/destination.ts'
import { openStore } from '../stores/open.ts'

/** Damaged ones among so many of the newest are passed over. */
const LOOKED_AT = 5

/**
 * The newest snapshot of a set, its signature checked, that is older than `before`: what there is to fall back on when a backup failed,
 * which may have stored a snapshot that did not verify.
 */
export async function newestBackup(inputs: Inputs['backup'], before: Date, environment: Environment): Promise<Newest> {
  const answers = await Promise.allSettled(inputs.destination.map((destination) => newestIn({ ...inputs, destination }, before, environment)))
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  // Of several destinations, the one with the newest has the word.
  const [best] = found.toSorted((a, b) => ('time' in b ? b.time : '').localeCompare('time' in a ? a.time : ''))
  if (best) return best
  throw answers.find((answer) => answer.status === 'rejected')!.reason
}

async function newestIn(inputs: Omit<Inputs['backup'], 'destination'> & { destination: Destination }, before: Date, environment: Environment): Promise<Newest> {
  const { set } = inputs
  const store = await openStore(inputs, environment)
  try {
    await openRepository(store)
    environment.signal.throwIfAborted()
    if ((await snapshotKeys(store, set)).length === 0) {
      await checkListing(store, set)
      return { set, none: 'empty' }
    }
    const keys = await openKeys(inputs['encryption-key'], { store, create: false })
    const newest = (await newestSnapshots(store, keys, set, LOOKED_AT)).find(({ header }) => new Date(header.time) < before)
    return newest === undefined ? { set, none: 'unsound' } : { set, snapshot: newest.header.id, time: newest.header.time }
  } finally {
    await store.close()
  }
}

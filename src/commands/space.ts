import type { Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { formatBytes } from '../report/format.ts'
import type { Store } from '../stores/store.ts'

/** Says how much room a store has where that is known, and warns when what the last backup added would not fit. */
export async function reportSpace(store: Store, lastAdded: number | undefined, { report }: Pick<Environment, 'report'>): Promise<void> {
  let free: number | undefined
  try {
    free = await store.free?.()
  } catch (error) {
    // A backup does not depend on knowing it; if the store is in trouble, the next thing that is asked of it says so.
    if (error instanceof LifeboatError) return
    throw error
  }
  if (free === undefined) return
  report.info(`${formatBytes(free)} free in ${store.name}`)
  if (lastAdded !== undefined && lastAdded > free) {
    report.warning(`what the last backup added, ${formatBytes(lastAdded)}, would not fit into the ${formatBytes(free)} that are free in ${store.name}`, 'Free some space before it is full, or choose another destination.')
  }
}

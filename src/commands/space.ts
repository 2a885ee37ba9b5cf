import type { Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { formatBytes } from '../report/format.ts'
import type { Store } from '../stores/store.ts'

/** Bytes that still fit into a store, where that is known; warns when what the last backup added would not. */
export async function spaceIn(
  store: Store,
  lastAdded: number | undefined,
  { report }: Pick<Environment, 'report'>,
): Promise<number | undefined> {
  let free: number | undefined
  try {
    free = await store.free?.()
  } catch (error) {
    // A backup does not depend on knowing it; if the store is in trouble, the next thing that is asked of it says so.
    if (error instanceof LifeboatError) return undefined
    throw error
  }
  if (free !== undefined && lastAdded !== undefined && lastAdded > free) {
    report.warning(
      `what the last backup added, ${formatBytes(lastAdded)}, would not fit into the ${formatBytes(free)} that are free in ${store.name}`,
      'Free some space before it is full, or choose another destination.',
    )
  }
  return free
}

import { LifeboatError } from '../error.ts'
import type { AzblobDestination } from './destinations/azblob.ts'
import type { StoreEnvironment } from './open.ts'
import type { Store } from './store.ts'

export function openAzblob(destination: AzblobDestination, _options: StoreEnvironment & { timeout: number }): Store {
  throw new LifeboatError(`${destination.text}: not available yet`)
}

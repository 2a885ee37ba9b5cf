import { FileStore } from './file.ts'
import type { Store } from './store.ts'

/** Where a store is. */
export type Destination = { kind: 'file'; path: string }

export function openStore(destination: Destination): Store {
  return new FileStore(destination.path)
}

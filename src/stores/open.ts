import { LifeboatError } from '../error.ts'
import { FileStore } from './file.ts'
import type { Store } from './store.ts'

/** Where a store is. */
export type Destination = { kind: 'artifact' } | { kind: 'file'; path: string }

export function openStore(destination: Destination): Store {
  if (destination.kind === 'artifact') throw new LifeboatError('artifact is not available in this version', { hint: 'Give another destination: file:PATH.', status: 2 })
  return new FileStore(destination.path)
}

/** A destination as it is given, which holds no secret. */
export function destinationText(destination: Destination): string {
  return destination.kind === 'artifact' ? 'artifact' : `file:${destination.path}`
}

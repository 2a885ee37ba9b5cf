import type { Environment } from '../environment.ts'
import { ArtifactStore } from './artifact/store.ts'
import { artifactRetention, daysWanted, grantedDays } from './artifact/retention.ts'
import { FileStore } from './file.ts'
import type { Store } from './store.ts'

/** Where a store is. */
export type Destination = { kind: 'artifact' } | { kind: 'file'; path: string }

/** What the inputs of a command say of its store. */
export interface StoreInputs {
  destination: Destination
  /** Undefined looks at every set; a backup has one. */
  set: string | undefined
  token: string | undefined
  /** Milliseconds. */
  timeout: number
  /** How long snapshots are to be kept; only a backup says. */
  retention?: Parameters<typeof daysWanted>[0]
}

export function openStore(inputs: StoreInputs, environment: Pick<Environment, 'variables' | 'temporary' | 'signal' | 'report' | 'now'>): Store {
  const { destination, set, token, timeout, retention = {} } = inputs
  if (destination.kind === 'file') return new FileStore(destination.path)
  const { variables, temporary, signal, report, now } = environment
  return new ArtifactStore({ set, token, timeout, retention: artifactRetention(daysWanted(retention), grantedDays(variables)), variables, temporary, signal, report, now })
}

/** A destination as it is given, which holds no secret. */
export function destinationText(destination: Destination): string {
  return destination.kind === 'artifact' ? 'artifact' : `file:${destination.path}`
}

import type { Environment } from '../environment.ts'
import type { StoreAccess } from './access.ts'
import type { Store } from './store.ts'

/** Where a store is. Each kind adds what it needs to open it. */
export interface Destination {
  /** One of the kind's names. */
  kind: string
  /** As it is shown to people, who may give it again: without secrets. */
  text: string
  /** No object can be changed or deleted by itself: they lie in groups that expire (`Groups` in store.ts). */
  immutable?: true
}

/** The parts of its run's environment that a store needs. */
export type StoreEnvironment = Pick<Environment, 'variables' | 'temporary' | 'signal' | 'report' | 'now'>

/** A kind of store: a folder of its own, and a line in all.ts. It is loaded at every start; `open` loads the rest. */
export interface StoreKind<D extends Destination = Destination> {
  /** The text of a destination begins with one of these and a colon. */
  readonly names: readonly string[]
  readonly help: StoreHelp
  /** Reads the whole text, with the kind's name. Throws `InvalidValue`, which shows no part of it that could be a secret. */
  parse(text: string): D
  /** Every part of a text that must be masked, as it is written there and decoded. The text may not be well-formed. */
  secrets(text: string): string[]
  /** Throws (status 2) if something else than the text is needed and not given. Called before any work begins. */
  requireAccess?(access: Pick<StoreAccess, 'token'>, variables: Environment['variables']): void
  /** A warning before something is stored there, if it could be lost with this machine. */
  warning?(destination: D, variables: Environment['variables']): StoreWarning | undefined
  /** Asks nothing of the store yet. */
  open(destination: D, access: StoreAccess, environment: StoreEnvironment): Store | Promise<Store>
}

export interface StoreWarning {
  message: string
  hint: string
}

/** The texts about a kind in help and messages. */
export interface StoreHelp {
  /** A pattern of the destination, with an explanation if it needs one. */
  readonly pattern: string
  /** The form of a destination, read after "expected"; undefined for URLs. */
  readonly expected?: string
  /** Environment variables that a command at a terminal needs for it. */
  readonly variables?: readonly string[]
  /**
   * Environment variables with the credentials of a workflow: the ways to give them, the usual one first. Each value is a secret of the
   * repository. Absent where the destination holds all that is needed.
   */
  readonly credentials?: readonly (readonly string[])[]
  /** Other environment variables that matter to it. */
  readonly settings?: readonly string[]
  /** Permissions that a job of a workflow needs for it. */
  readonly permissions?: string
}

import type { Report, Variables } from '../../../environment.ts'
import { messageOf } from '../../../error.ts'
import type { ProgramSet } from './program-sets.ts'

export interface ProvideOptions {
  variables: Variables
  signal: AbortSignal
  report: Report
  /** `Environment.temporary`: staging, and the home of programs that cannot be kept elsewhere. */
  temporary: string
  now: () => Date
  /** Replaced in tests. */
  places?: Partial<Places>
}

/** The sources of packages, and the system that these must fit. */
export interface Places {
  /** The machine's settings of apt. */
  machine: string
  /** dpkg's record of the installed packages. */
  status: string
  /** Names the distribution. */
  osRelease: string
  /** The PostgreSQL project's archive, and the key it is signed with, in ASCII armour. */
  project: { uri: string; key: string }
  /** For each command of apt, in milliseconds. */
  timeLimit: number
  /** For a restore from GitHub's cache, or a save to it, in milliseconds. */
  cacheLimit: number
}

export type ProvideContext = ProvideOptions & { places: Places; set: ProgramSet }

/** Warns of an error after which another way is tried. */
export function complain({ report, signal }: Pick<ProvideOptions, 'report' | 'signal'>, what: string, error: unknown): undefined {
  signal.throwIfAborted()
  report.warning(`${what}: ${messageOf(error)}`)
}

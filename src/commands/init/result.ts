import type { Finding } from '../../report/finding.ts'

export interface InitResult {
  /** `owner/name`. */
  repository: string
  set: string
  /** `file:/mnt/backups`. */
  destination: string
  /** The label of the runner of the workflows. */
  runner: string
  /** Their names in the backups. */
  databases: string[]
  /** Of one database: its name on the server, where that is another one. */
  confirm?: string
  /** The result of doctor. */
  checks: Finding[]
  /** `kept`: the repository has one already, or may have one, which this run was not given. */
  key: 'new' | 'given' | 'kept'
  /** `left`: it differs, and was not replaced. */
  files: { path: string; state: 'written' | 'unchanged' | 'left' }[]
  /** Some of the workflows are not committed yet. */
  uncommitted: boolean
  /** `kept`: there was one already; `to make`: nobody has set it yet, or this run could not see it. */
  secrets: { name: string; state: 'set' | 'kept' | 'to make' }[]
  /** Whether workflows run elsewhere: then the first backup is theirs to make. `started`: gh has started the workflow. */
  first: FirstBackup
}

export type FirstBackup =
  | { state: 'made'; snapshot: string; verified: string; size: number; stored: number; seconds: number }
  | { state: 'there' | 'started' }
  /** `why`: read after "not made: ". */
  | { state: 'not made'; why: string }

import type { Report } from './report/report.ts'

/** What a command needs of the world around it; nothing below `actions` and `cli` reads `process.env` or exits. */
export interface Environment {
  /** Environment variables: `PATH`, `PG*`, `RUNNER_TOOL_CACHE`. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly report: Report
  /** A folder for staging, private to this run. Made on first use, removed by the entry in every case. */
  readonly temporary: string
  now(): Date
  /** The workflow run this happens in, kept in the snapshot. */
  readonly run?: { repository: string; workflow: string; id: string; attempt: string; url: string }
}

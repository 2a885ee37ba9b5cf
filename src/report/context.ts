/** What the text of a result needs beside the result itself. */
export interface TextContext {
  /** How this program is called, to show the next command: `lifeboat`. */
  program: string
  /** `file:/mnt/backups`. */
  destination: string
  timeZone: string
  /** How a command that prints either way is to print. */
  format?: 'text' | 'markdown'
}

/** What a job summary needs beside the result. */
export interface SummaryContext {
  /** How a workflow names this action: `owner/repository`, and what follows `@`. */
  action: string
  reference: string
  /** `file:/mnt/backups`. */
  destination: string
  timeZone: string
  now: Date
}

export type When = Pick<SummaryContext, 'timeZone' | 'now'>

/** The facts that the text of a result needs beside the result. */
export interface TextContext {
  /** How this program is called, to show the next command: `lifeboat`. */
  program: string
  /** `file:/mnt/backups`; empty for a command without a store. */
  destination: string
  timeZone: string
  /** The format of a command that has a choice. */
  format?: 'text' | 'markdown'
  /** The columns of a table that were asked for. */
  columns?: readonly string[]
  /** The characters in a line of the terminal; undefined where the text goes elsewhere. */
  width?: number
}

/** The facts that a job summary needs beside the result. */
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

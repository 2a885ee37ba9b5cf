import { ProgressPace } from './progress.ts'
import type { Redaction } from './redaction.ts'
import type { Report } from './report.ts'
import { printable } from './terminal.ts'

/** How a workflow's log is written to; the actions give it what their toolkit offers. */
export interface WorkflowLog {
  line(text: string): void
  /** An annotation. */
  warning(text: string): void
}

/** Text that the runner cannot take for one of its commands (`::add-mask::…`, `##[…]`), wherever it comes from. */
export function inertText(text: string): string {
  return printable(text).replace(/^(\s*)::/gm, '$1: :').replaceAll('##[', '## [')
}

/** A report for the log of a workflow run: a line every 10 s, warnings as annotations. */
export function workflowReport(log: WorkflowLog, redaction: Redaction, now: () => number = () => performance.now()): Report {
  const pace = new ProgressPace(10_000, 10_000, now)
  const print = (text: string): void => log.line(inertText(redaction.apply(text)))
  return {
    info: print,
    warning: (message, hint) => log.warning(redaction.apply(hint === undefined ? message : `${message}\n${hint}`)),
    progress(progress) {
      const line = pace.line(progress)
      if (line !== undefined) print(line)
    },
    mask: (secret) => redaction.add(secret),
  }
}

import { annotating } from './annotations.ts'
import { inertText } from './inert.ts'
import { ProgressPace, progressLine } from './progress.ts'
import type { Redaction } from './redaction.ts'
import type { Progress, Report } from '../environment.ts'

/** How a workflow's log is written to; the actions give it what their toolkit offers. */
export interface WorkflowLog {
  line(text: string): void
  /** An annotation. */
  warning(text: string): void
  /** Folds what follows under a title, up to `endGroup`. */
  startGroup(title: string): void
  endGroup(): void
}

/**
 * A report for the log of a workflow run: a group per activity with a line every 5 s and a last one, warnings as annotations.
 * `end` ends the last group.
 */
export function workflowReport(
  log: WorkflowLog,
  redaction: Redaction,
  now: () => number = () => performance.now(),
): Report & { end(): void } {
  const pace = new ProgressPace(5_000, 5_000, now)
  const clean = (text: string): string => inertText(redaction.apply(text))
  const warn = annotating({ annotate: (text) => log.warning(text), line: (text) => log.line(text) })
  let last: { progress: Progress; started: number } | undefined
  const end = (): void => {
    if (last === undefined) return
    log.line(clean(progressLine(last.progress, (now() - last.started) / 1000)))
    log.endGroup()
    last = undefined
  }
  return {
    info: (message) => log.line(clean(message)),
    warning: (message, hint) => warn(clean(hint === undefined ? message : `${message}\n${hint}`)),
    progress(progress) {
      if (last?.progress.activity !== progress.activity) {
        end()
        log.startGroup(clean(progress.activity).replaceAll('\n', ' '))
        last = { progress, started: now() }
      }
      last.progress = progress
      const line = pace.line(progress)
      if (line !== undefined) log.line(clean(line))
    },
    mask: (secret) => redaction.add(secret),
    redacted: (text) => redaction.apply(text),
    findsSecret: (text) => redaction.finds(text),
    end,
  }
}

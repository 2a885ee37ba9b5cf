import { inertText } from './inert.ts'
import { ProgressPace } from './progress.ts'
import type { Redaction } from './redaction.ts'
import type { Report } from '../environment.ts'

/** The part of a stream that a terminal's report needs; `process.stderr` is one. */
export interface TerminalStream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

const ERASE_LINE = '\r\u001B[2K'

/**
 * A report for a person at a terminal: one line that updates; where the stream is no terminal, a line every 5 s.
 * `end` clears the line that updates.
 */
export function terminalReport(
  stream: TerminalStream,
  redaction: Redaction,
  now: () => number = () => performance.now(),
): Report & { end(): void } {
  const live = stream.isTTY === true
  const pace = new ProgressPace(live ? 100 : 5_000, live ? 100 : 5_000, now)
  let drawn = false
  const erase = (): void => {
    if (drawn) stream.write(ERASE_LINE)
    drawn = false
  }
  const print = (text: string): void => {
    erase()
    stream.write(`${inertText(redaction.apply(text))}\n`)
  }
  return {
    info: print,
    warning(message, hint) {
      print(`warning: ${message}`)
      if (hint !== undefined) print(`hint: ${hint}`)
    },
    progress(progress) {
      const line = pace.line(progress)
      if (line === undefined) return
      if (!live) return print(line)
      // One column is left free: a full line wraps, and a wrapped line cannot be erased. A terminal that does not know its width says 0.
      stream.write(ERASE_LINE + inertText(redaction.apply(line)).slice(0, (stream.columns || 80) - 1))
      drawn = true
    },
    mask: (secret) => redaction.add(secret),
    redacted: (text) => redaction.apply(text),
    findsSecret: (text) => redaction.finds(text),
    end: erase,
  }
}

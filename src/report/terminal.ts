import { inertText } from './inert.ts'
import { inspect, styleText } from 'node:util'
import { failureOf, failureText } from './failure.ts'
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

export interface TerminalReport extends Report {
  /** Shows less, warnings and errors alone, or more: the time of each line, and where errors come from. */
  tell(amount: 'less' | 'more'): void
  failure(error: unknown): void
  /** Clears the line that updates. */
  end(): void
}

/** A report for a person at a terminal: one line that updates; where the stream is no terminal, a line every 5 s. */
export function terminalReport(
  stream: TerminalStream,
  redaction: Redaction,
  { now = () => performance.now(), coloured = false, debug = false }: { now?: () => number; coloured?: boolean; debug?: boolean } = {},
): TerminalReport {
  const live = stream.isTTY === true
  let amount: 'less' | 'usual' | 'more' = 'usual'
  const pace = new ProgressPace(live ? 100 : 5_000, live ? 100 : 5_000, now)
  let drawn = false
  const erase = (): void => {
    if (drawn) stream.write(ERASE_LINE)
    drawn = false
  }
  const print = (text: string): void => {
    erase()
    const time = amount === 'more' ? `${new Date().toISOString()} ` : ''
    const lines = inertText(redaction.apply(text))
    stream.write(`${time}${coloured ? inColours(lines) : lines}\n`)
  }
  return {
    tell: (wanted) => (amount = wanted),
    info(text) {
      if (amount !== 'less') print(text)
    },
    detail(text) {
      if (amount === 'more') print(text)
    },
    failure(error) {
      print(failureText(failureOf(error)))
      if (debug || amount === 'more') print(inspect(error))
    },
    warning(message, hint) {
      print(`warning: ${message}`)
      if (hint !== undefined) print(`hint: ${hint}`)
    },
    progress(progress) {
      const line = amount === 'less' ? undefined : pace.line(progress)
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

/** Inert text with the words that matter most in colours. */
export function inColours(text: string): string {
  return text
    .replace(/^error:|\b(?:FAILED|DAMAGED|MISSING|NOT)\b/gm, painted.red)
    .replace(/^warning:|\bWARNING\b/gm, painted.yellow)
    .replace(/^hint:/gm, painted.cyan)
}

const painted = {
  red: (word: string): string => styleText('red', word, { validateStream: false }),
  yellow: (word: string): string => styleText('yellow', word, { validateStream: false }),
  cyan: (word: string): string => styleText('cyan', word, { validateStream: false }),
}

import type { Report } from '../environment.ts'
import { marked } from '../marks.ts'

/** Without a limit, anyone who can write to a store could fill the log. */
const MOST_WARNINGS = 50
const warned = new WeakMap<Pick<Report, 'warning'>, Set<string>>()

/** Warns of an error that the work goes on without: once, however often one command comes upon it. */
export function warningOf(report: Pick<Report, 'warning'>): (error: { message: string; hint: string | undefined }) => void {
  const messages = warned.get(report) ?? new Set()
  warned.set(report, messages)
  return ({ message, hint }) => {
    if (messages.has(message) || messages.size > MOST_WARNINGS) return
    messages.add(message)
    if (messages.size <= MOST_WARNINGS) report.warning(message, hint)
    else report.warning(
      `more than ${MOST_WARNINGS} such problems; the others are not named`,
      marked`‹lifeboat list› and, with ‹set›, ‹lifeboat verify; snapshot: all; level: read› look at all snapshots.`,
    )
  }
}

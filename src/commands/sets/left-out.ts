import { oneLine } from '../../report/format.ts'
import { escapeMarkdown as escape } from '../../report/markdown.ts'
import type { LeftOutDatabase } from '../../sources/source-kind.ts'
import { ofServer } from './server-databases.ts'

/** A database that nothing backs up; `server` if there are several. */
export type LeftOutServerDatabase = LeftOutDatabase & { server?: string }

/** More than anyone reads; the JSON result has them all. */
const MOST = 200

/** Databases that somebody may miss: all but templates and those that accept no connections. */
export function missedAmong(leftOut: readonly LeftOutServerDatabase[]): LeftOutServerDatabase[] {
  return leftOut.filter(({ expected }) => !expected)
}

/** Lines for a terminal. */
export function leftOutLines(leftOut: readonly LeftOutServerDatabase[]): string[] {
  return leftOut.length === 0 ? [] : ['', 'Left out:', ...leftOut.slice(0, MOST).map((one) => `  ${oneLine(leftOutText(one))}`)]
}

/** A list in Markdown of those that somebody may miss. */
export function missedList(leftOut: readonly LeftOutServerDatabase[]): string[] {
  const missed = missedAmong(leftOut)
  if (missed.length === 0) return []
  return [`**In no backup:**\n\n${missed.slice(0, MOST).map((one) => `- ⚠️ ${escape(leftOutText(one))}`).join('\n')}`]
}

/** A sentence in Markdown about the others. */
export function expectedSentence(leftOut: readonly LeftOutServerDatabase[]): string[] {
  const others = leftOut.filter(({ expected }) => expected)
  return others.length === 0 ? [] : [`Left out as well: ${others.slice(0, MOST).map((one) => escape(leftOutText(one))).join('; ')}.`]
}

function leftOutText({ name, server, why }: LeftOutServerDatabase): string {
  return `${name}${ofServer(server)} ${why}`
}

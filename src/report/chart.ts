import { fenced } from './markdown.ts'

const UNITS = [['GB', 1e9], ['MB', 1e6], ['kB', 1e3], ['B', 1]] as const

/** A Mermaid chart of what each backup needs (line) and what it added (bars), oldest first; sizes are bytes. */
export function sizeChart(backups: readonly { time: string; stored: number; added: number }[], timeZone: string): string {
  const largest = Math.max(1, ...backups.map(({ stored, added }) => Math.max(stored, added)))
  const [unit, bytes] = UNITS.find(([, size]) => largest >= size)!
  const figures = (values: readonly number[]): string => values.map((value) => Number((value / bytes).toPrecision(4))).join(', ')
  const day = new Intl.DateTimeFormat('en-CA', { timeZone, month: '2-digit', day: '2-digit' })
  return fenced('mermaid', [
    'xychart-beta',
    '  title "Needed in the store (line) and added (bars) by each backup"',
    // Labels must differ, or bars of the same day would be drawn onto each other.
    `  x-axis [${backups.map(({ time }, index) => `"${index + 1}: ${day.format(new Date(time))}"`).join(', ')}]`,
    `  y-axis "${unit}" 0 --> ${Number(((largest / bytes) * 1.05).toPrecision(3))}`,
    `  bar [${figures(backups.map(({ added }) => added))}]`,
    `  line [${figures(backups.map(({ stored }) => stored))}]`,
  ].join('\n'))
}

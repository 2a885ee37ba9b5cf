import { fenced } from './markdown.ts'

const UNITS = [['GB', 1e9], ['MB', 1e6], ['kB', 1e3], ['B', 1]] as const

/**
 * Mermaid leaves half the height of a label below the lowest value of the y-axis, and draws bars through it: an axis from 0 would make
 * each bar too high. So the axis begins where the plot is that high, and the bottom of the plot is 0.
 */
const LOWEST = 0.042

/** Mermaid's own first colour is next to invisible on white; these two can be told apart on GitHub's light and dark pages. */
const CONFIG = `---
config:
  xyChart:
    width: 900
    height: 320
    xAxis:
      labelFontSize: 12
  themeVariables:
    xyChart:
      backgroundColor: transparent
      plotColorPalette: "#4493f8, #db6d28"
---`

/** A Mermaid chart of what each backup needs (line) and what it added (bars), oldest first; sizes are bytes. */
export function sizeChart(backups: readonly { time: string; stored: number; added: number }[], timeZone: string): string {
  const largest = Math.max(1, ...backups.map(({ stored, added }) => Math.max(stored, added)))
  const [unit, bytes] = UNITS.find(([, size]) => largest >= size)!
  const top = (largest / bytes) * 1.05
  const figures = (values: readonly number[]): string => values.map((value) => Number((value / bytes).toPrecision(4))).join(', ')
  return fenced('mermaid', [
    CONFIG,
    'xychart-beta',
    '  title "Needed in the store (line) and added (bars)"',
    `  x-axis [${labels(backups.map(({ time }) => new Date(time)), timeZone).map((label) => `"${label}"`).join(', ')}]`,
    `  y-axis "${unit}" ${Number((top * LOWEST).toPrecision(3))} --> ${Number(top.toPrecision(3))}`,
    `  bar [${figures(backups.map(({ added }) => added))}]`,
    `  line [${figures(backups.map(({ stored }) => stored))}]`,
  ].join('\n'))
}

/**
 * The day, with its month where that is a new one, or else the time of day. Equal labels would be drawn onto each other, so
 * they differ in what is not seen.
 */
function labels(times: readonly Date[], timeZone: string): string[] {
  const day = new Intl.DateTimeFormat('en-CA', { timeZone, month: '2-digit', day: '2-digit' })
  const month = new Intl.DateTimeFormat('en-CA', { timeZone, month: '2-digit' })
  const dayOfMonth = new Intl.DateTimeFormat('en-CA', { timeZone, day: '2-digit' })
  const timeOfDay = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' })
  const used = new Set<string>()
  return times.map((time, index) => {
    const before = times[index - 1]
    const unchanged = (part: Intl.DateTimeFormat): boolean => before !== undefined && part.format(before) === part.format(time)
    let label = (unchanged(day) ? timeOfDay : unchanged(month) ? dayOfMonth : day).format(time)
    while (used.has(label)) label += '\u034F'
    used.add(label)
    return label
  })
}

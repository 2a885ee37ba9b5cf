/** How figures are written for people, everywhere. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** `512 B`, `1.25 GB`: decimal units, three digits. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // 999.5 would be written as 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : threeDigits(value)} ${UNITS[unit]}`
}

function threeDigits(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)
}

/** `284 MB/s`; empty when too little time has passed to tell. */
export function formatRate(bytes: number, seconds: number): string {
  return seconds < 0.01 ? '' : `${formatBytes(Math.round(bytes / seconds))}/s`
}

/** `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(whole / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** How old something is, in the largest unit that still says something: `42 s`, `5 h`, `3 days`. */
export function formatAge(iso: string, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - new Date(iso).getTime()) / 1000)
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} days`
}

/** The time between two backups, to the minute: `42 s`, `58 min`, `23 h 58 min`, `3 days 1 h`. */
export function formatLapse(from: string, to: string): string {
  const seconds = Math.max(0, Math.floor((Date.parse(to) - Date.parse(from)) / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days ${hours % 24} h`
}

/** `99.8 %` of `whole`; never rounded up to 100 while something is missing. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return '–'
  return `${(Math.floor((part / whole) * 1000) / 10).toFixed(1)} %`
}

/** `1 chunk`, `2 chunks`, `12,000 entries`. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  // The first use of a locale takes 13 ms.
  const digits = count < 1000 ? `${count}` : count.toLocaleString('en-US')
  return `${digits} ${count === 1 ? one : many}`
}

/** To make one takes as long as to format a hundred times. */
const clocks = new Map<string, Intl.DateTimeFormat>()

function clock(timeZone: string): Intl.DateTimeFormat {
  const made = clocks.get(timeZone) ?? new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  })
  clocks.set(timeZone, made)
  return made
}

/** `2026-11-20 03:00:00 GMT+1` in a time zone of Intl. */
export function formatTime(iso: string, timeZone: string): string {
  const parts = clock(timeZone).formatToParts(new Date(iso))
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((part) => part.type === type)?.value ?? ''
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}:${part('second')} ${part('timeZoneName')}`
}

/** Text from outside on one line, without what a terminal would obey or what turns the direction of writing. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\p{C}/gu, '\uFFFD')
}

/** Rows as columns that line up, two spaces between them; the last column is left as it is. */
export function formatColumns(rows: readonly (readonly string[])[], indent = ''): string {
  const widths: number[] = []
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  return rows.map((row) => indent + row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n')
}

/** ` (text)`'s parentheses; nothing for an empty text. */
export const parenthesised = (text: string): string => (text === '' ? '' : `(${text})`)

/** A name in a list on one line: one with a comma would look like two. */
export function listedName(name: string): string {
  return name.includes(',') ? `"${oneLine(name)}"` : oneLine(name)
}

/** `a, b and 3 more`. */
export function formatSome(names: readonly string[], most: number): string {
  return names.slice(0, most).join(', ') + (names.length > most ? ` and ${names.length - most} more` : '')
}

/** The first lines; if there are more, a last one says how many. */
export function someLines(lines: readonly string[], most: number): string[] {
  return lines.length > most ? [...lines.slice(0, most), `and ${lines.length - most} more`] : [...lines]
}

import { formatTime } from './format.ts'

/** GitHub drops a step's summary whole when it is over 1 MiB. */
const MOST_BYTES = 1_000_000

/** Blocks with a blank line between them; what does not fit is left out with a word about it. */
export function withinLimit(blocks: readonly string[]): string {
  const fitting: string[] = []
  let bytes = 0
  for (const block of blocks) {
    bytes += Buffer.byteLength(block) + 2
    if (bytes > MOST_BYTES) return [...fitting, 'The rest is too long for a summary; the log has it.'].join('\n\n') + '\n'
    fitting.push(block)
  }
  return `${fitting.join('\n\n')}\n`
}

/**
 * Text from outside as inert Markdown, in a table too: whatever could mean something becomes a character reference.
 * After an @ stands a space of no width: GitHub looks for addresses and people in the rendered text.
 */
export function escapeMarkdown(text: string): string {
  return shortened(text, LONGEST)
    .replace(/\s+/g, ' ')
    .replace(/\p{C}/gu, '\uFFFD')
    .replace(/@/g, '@\u200B')
    .replace(/[^\p{L}\p{N}\p{M}\uFFFD\u200B ,-]/gu, (character) => `&#${character.codePointAt(0)};`)
}

/** The lines of a text from outside, those that begin with a hyphen and a space as a list. */
export function escapedLines(text: string): string {
  const lines = shortened(text, LONGEST).split('\n').map((line) => escapeMarkdown(line.trim())).filter((line) => line !== '')
  return lines.map((line) => (/^- [^-]/.test(line) ? line : line.replace(/^-/, '&#45;'))).join('  \n')
}

const LONGEST = 10_000

/** The beginning of a text that has more characters than `longest`. */
export function shortened(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** A name from outside, as code where that is possible. */
export function code(name: string): string {
  return isPlain(name) ? `\`${name}\`` : escapeMarkdown(name)
}

/** Whether nothing in a name means something in Markdown, inside code and outside. */
export function isPlain(name: string): boolean {
  return /^[A-Za-z0-9:/._-]{1,200}$/.test(name)
}

/** A time or a figure that a narrow column does not break. Terminals, which get no invisible characters, show it as well. */
export function unbroken(text: string): string {
  return text.replaceAll(' ', '\u00A0').replaceAll('-', '\u2011')
}

/** To the minute, below a heading that names the time zone: `madeIn`. */
export function shortTime(time: string, timeZone: string): string {
  return unbroken(formatTime(time, timeZone).slice(0, 16))
}

export function madeIn(timeZone: string): string {
  return `Made (${escapeMarkdown(timeZone)})`
}

/** A link, where the address is one on the web and nothing else; the text alone where it is not. */
export function link(text: string, url: string): string {
  return /^https:\/\/[A-Za-z0-9./_~:-]{1,500}$/.test(url) ? `[${text}](${url})` : text
}

/** A code block that its content cannot end. */
export function fenced(language: string, content: string): string {
  const text = content.slice(0, 60_000).replace(/[^\P{C}\n\t]/gu, '\uFFFD')
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(Math.max(3, longest + 1))
  return `${fence}${language}\n${text}\n${fence}`
}

/** A list of texts from outside. */
export function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${escapeMarkdown(line)}`).join('\n')
}

/** A table of cells that are Markdown already; `figures`: how many columns at the end, or the heads of those that hold figures. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], figures: number | readonly string[] = 0): string {
  const right = typeof figures === 'number' ? head.slice(head.length - figures) : figures
  return [head, head.map((name) => (right.includes(name) ? '---:' : '---')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

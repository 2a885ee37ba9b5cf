/** Lines around a change that are shown with it. */
const CONTEXT = 3

type Line = { sign: ' ' | '-' | '+'; text: string }

/** The changes of a small text file, as `diff -u` prints them; '' if there is none. `before` is undefined for a new file. Pure. */
export function unifiedDiff(path: string, before: string | undefined, after: string): string {
  if (before === after) return ''
  const lines = changes(linesOf(before ?? ''), linesOf(after))
  const header = [before === undefined ? '--- /dev/null' : `--- a/${path}`, `+++ b/${path}`]
  return [...header, ...hunks(lines).flatMap(({ start, end }) => hunk(lines, start, end))].join('\n')
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** The shortest way from one text to the other, by the longest common subsequence. */
function changes(before: readonly string[], after: readonly string[]): Line[] {
  const common = before.map(() => Array.from({ length: after.length + 1 }, () => 0))
  common.push(Array.from({ length: after.length + 1 }, () => 0))
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const [down, right] = [common[i + 1]![j]!, common[i]![j + 1]!]
      common[i]![j] = before[i] === after[j] ? common[i + 1]![j + 1]! + 1 : Math.max(down, right)
    }
  }
  const lines: Line[] = []
  for (let i = 0, j = 0; i < before.length || j < after.length;) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ sign: ' ', text: before[i++]! })
      j++
    } else if (i < before.length && (j === after.length || common[i + 1]![j]! >= common[i]![j + 1]!)) {
      lines.push({ sign: '-', text: before[i++]! })
    } else {
      lines.push({ sign: '+', text: after[j++]! })
    }
  }
  return lines
}

/** Ranges of lines with a change in them, and their context. */
function hunks(lines: readonly Line[]): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = []
  for (const [index, { sign }] of lines.entries()) {
    if (sign === ' ') continue
    const [start, end] = [Math.max(0, index - CONTEXT), Math.min(lines.length, index + CONTEXT + 1)]
    const last = found.at(-1)
    if (last && start <= last.end) last.end = end
    else found.push({ start, end })
  }
  return found
}

function hunk(lines: readonly Line[], start: number, end: number): string[] {
  const shown = lines.slice(start, end)
  const range = (other: '-' | '+'): string => {
    const is = ({ sign }: Line): boolean => sign !== other
    const [above, count] = [lines.slice(0, start).filter(is).length, shown.filter(is).length]
    return `${count === 0 ? above : above + 1},${count}`
  }
  return [`@@ -${range('+')} +${range('-')} @@`, ...shown.map(({ sign, text }) => `${sign}${text}`)]
}

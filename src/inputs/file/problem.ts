import type { FilePlaceMessage as Problem } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'

export type { FilePlaceMessage as Problem } from '../../environment.ts'

/** Whether a plain value means that there is none. */
export function nothingHere(text: string): boolean {
  return ['', '~', 'null', 'Null', 'NULL'].includes(text)
}

/** `lifeboat.yml, line 3, column 5: …`. */
export function problemText(file: string, { line, column, message }: Problem): string {
  return `${file}, line ${line}, column ${column}: ${message}`
}

/** The faults of a file in the order of their lines, each once. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  return sorted.filter(({ line, column, message }, index) => {
    const before = sorted.slice(0, index)
    return !before.some((other) => other.line === line && other.column === column && other.message === message)
  })
}

/** Problems that are shown: of a file that is something else, there may be thousands. */
const MOST_SHOWN = 50

/** One error (status 2) for all faults of a file. */
export function problemsError(file: string, problems: readonly Problem[], hint: string): LifeboatError {
  const sorted = inOrder(problems)
  const texts = sorted.slice(0, MOST_SHOWN).map((problem) => problemText(file, problem))
  const more = sorted.length > texts.length ? [`and ${sorted.length - texts.length} more`] : []
  const message = texts.length === 1 ? texts[0]! : [`${file} has ${sorted.length} problems:`, ...texts, ...more].join('\n')
  return new LifeboatError(message, { hint, status: 2 })
}

import { someLines } from '../../report/format.ts'
import { blot } from './errors.ts'

const MOST_WARNINGS = 100
const MOST_CHARACTERS = 1000

/** The warnings of a client program that ended well, in its stderr (LC_ALL=C), each with its details and hints. */
export function warningsOf(stderr: string, program: 'pg_dump' | 'pg_dumpall', secrets: readonly string[]): string[] {
  const warnings: string[] = []
  // Every message starts with the program's name; lines without it belong to the message before.
  for (const message of blot(stderr, secrets).split(new RegExp(`^${program}: `, 'm')).slice(1)) {
    const [, kind, text = ''] = /^(warning|detail|hint): (.*)$/s.exec(message.trim()) ?? []
    const line = text.replaceAll(/\s*\n\s*/g, '; ')
    if (kind === 'warning') warnings.push(line)
    else if (kind !== undefined && warnings.length > 0) warnings.push(`${warnings.pop()!} (${line})`)
  }
  return someLines(warnings.map((warning) => warning.slice(0, MOST_CHARACTERS)), MOST_WARNINGS)
}

/**
 * Whether a warning tells of something that is missing in the archive: `subscriptions not dumped because current user is not a superuser`.
 */
export function tellsOfLoss(warning: string): boolean {
  return /\bnot (?:be )?dump(?:ed)?\b|\bskipp(?:ed|ing)\b/.test(warning)
}

import { keysIn, likelySecrets, looksSecret } from '../../report/redaction.ts'
import type { Problem } from './problem.ts'
import type { Item, Setting } from './settings.ts'
import { expanded, variablesIn } from './variables.ts'

/** In place of variables: only what stays the same with either of them is in the file itself. */
const FILLERS = ['lifeboatA', 'lifeboatB'] as const

const INSTEAD = 'Write ${NAME}, and set that environment variable'

/**
 * Secrets that are written into a file, which other people read and version control keeps. `problems` are surely secrets, or must be;
 * `warnings` look like some.
 */
export function plainSecrets({ name, items, takers }: Setting): { problems: Problem[]; warnings: Problem[] } {
  const { input } = takers[0]!
  const problems: Problem[] = []
  const warnings: Problem[] = []
  for (const item of items) {
    const at = { line: item.line, column: item.column }
    const likely = inBoth(item, likelySecrets)
    const passwords = likely.filter((secret) => !isUser(item, secret) || looksSecret(secret))
    if (input.secret && !input.secrets && variablesIn(item.template).length === 0) {
      problems.push({ ...at, message: `${name} is a secret, and is in the file as plain text. ${INSTEAD}` })
    } else if (inBoth(item, keysIn).length > 0 || (passwords.length > 0 && (input.secret || input.secrets))) {
      problems.push({ ...at, message: `${name} has a secret in it as plain text. ${INSTEAD}` })
    } else if (passwords.length > 0 || (!input.secret && inBoth(item, (text) => input.secrets?.(text) ?? []).length > likely.length)) {
      warnings.push({ ...at, message: `${name} may have a secret in it as plain text. ${INSTEAD}` })
    }
  }
  return { problems, warnings }
}

function inBoth({ template }: Item, find: (text: string) => string[]): string[] {
  const [first, second] = FILLERS.map((filler) => find(expanded(template, () => filler)))
  return first!.filter((secret) => second!.includes(secret))
}

/** The user of a URL without a password. */
function isUser({ template }: Item, secret: string): boolean {
  return expanded(template, () => FILLERS[0]).includes(`://${secret}@`)
}

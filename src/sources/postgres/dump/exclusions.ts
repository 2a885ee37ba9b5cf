import type { TablePattern } from '../dump-arguments.ts'

/** Regular expressions of PostgreSQL for the schema and the name. `descendants`: and all tables that inherit from such tables. */
export interface Exclusion {
  schema: string
  name: string
  descendants: boolean
}

/**
 * All tables that pg_dump excludes by a pattern, and maybe others: without a schema it excludes only those in its search path, and it fails
 * if the pattern names another database (PostgreSQL documentation, psql, "Patterns"; string_utils.c: patternToSQLRegex).
 */
export function exclusionOf({ pattern, descendants }: TablePattern): Exclusion {
  const parts = ['']
  for (const [token, quoted] of pattern.matchAll(/"((?:""|[^"])*)"?|\[\]|./gsu)) {
    if (token === '.') parts.push('')
    else parts[parts.length - 1] += quoted === undefined ? unquotedRegex(token) : literalRegex(quoted.replaceAll('""', '"'))
  }
  const [name = '', schema = '.*'] = parts.toReversed()
  return { schema: `^(${schema})$`, name: `^(${name})$`, descendants }
}

function literalRegex(text: string): string {
  return text.replaceAll(/[|*+?()[\]{}.^$\\]/g, String.raw`\$&`)
}

/** Outside of quotes, regular expressions remain, but for `*`, `?` and `$`. */
function unquotedRegex(token: string): string {
  if (token === '*') return '.*'
  if (token === '?') return '.'
  return token === '$' || token === '[]' ? `\\${token}` : token.replace(/[A-Z]/, (letter) => letter.toLowerCase())
}

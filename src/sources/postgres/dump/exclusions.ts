import { z } from 'zod'
import type { Pattern } from '../dump-arguments.ts'
import { literal, queryJson, type QueryContext } from '../query.ts'

/** Regular expressions of PostgreSQL for the schema and the name. `descendants`: and all tables that inherit from such tables. */
export interface Exclusion {
  schema: string
  name: string
  descendants: boolean
}

/** SQL for whether the row `pattern` has the regular expressions of an exclusion of the relation `c` in the schema `n`. */
export const EXCLUDED = 'n.nspname ~ pattern.schema COLLATE pg_catalog."default" AND c.relname ~ pattern.name COLLATE pg_catalog."default"'

/**
 * All tables that pg_dump excludes by a pattern, and maybe others: without a schema it excludes only those in its search path, and it fails
 * if the pattern names another database (PostgreSQL documentation, psql, "Patterns"; string_utils.c: patternToSQLRegex).
 */
export function exclusionOf({ pattern, descendants }: Pick<Pattern, 'pattern' | 'descendants'>): Exclusion {
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

/** Those of the patterns that certainly match no table, view or sequence of the database: pg_dump is silent about them. */
export function matchesNoTable(patterns: readonly Pattern[], context: QueryContext): Promise<Pattern[]> {
  return without(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ${EXCLUDED}`, patterns, context,
  )
}

/** Those of the patterns that match no schema of the database. */
export function matchesNoSchema(patterns: readonly Pattern[], context: QueryContext): Promise<Pattern[]> {
  return without('SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname ~ pattern.name COLLATE pg_catalog."default"', patterns, context)
}

/** Those of the patterns for which the query about `pattern` has no row. */
async function without(query: string, patterns: readonly Pattern[], context: QueryContext): Promise<Pattern[]> {
  if (patterns.length === 0) return []
  const numbered = JSON.stringify(patterns.map((one, number) => ({ number, ...exclusionOf(one) })))
  const numbers = await queryJson(`SELECT coalesce(pg_catalog.json_agg(number), '[]')
    FROM pg_catalog.json_to_recordset(${literal(numbered)}) AS pattern (number int, schema text, name text)
    WHERE NOT EXISTS (${query})`,
  z.array(z.int()), context)
  return numbers.map((number) => patterns[number]!)
}

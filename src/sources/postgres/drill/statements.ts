import type { PassingEntry } from '../contents.ts'

/** The name of a role, a schema, or a table in one, as pg_dump writes it. */
export const NAME = String.raw`"(?:[^"]|"")+"|[a-z_][\w$]*`
const QUALIFIED = `(?:${NAME})\\.(?:${NAME})`

/** A base type, or the name of one that does not exist yet. All others are made `AS` something. */
const BASE_TYPE = new RegExp(`^CREATE TYPE ${QUALIFIED}(?: \\(|;)`)
/** Names and texts, which may look like any clause: pg_dump quotes a name in capitals. */
export const QUOTED = /"(?:[^"]|"")*"|E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'/.source
const LANGUAGE = new RegExp(String.raw`${QUOTED}|\bLANGUAGE ("(?:[^"]|"")+"|\w+)`, 'gs')

/** Whether only a superuser can make it, and can change it: a base type, or a function in machine code. */
export function onlyBySuperusers({ kind, sql }: PassingEntry): boolean {
  if (kind === 'TYPE') return BASE_TYPE.test(sql())
  if (kind !== 'FUNCTION' && kind !== 'PROCEDURE') return false
  for (const [, language] of sql().matchAll(LANGUAGE)) if (language !== undefined) return /^"?(?:c|internal)"?$/.test(language)
  return false
}

const EACH = new RegExp(QUALIFIED, 'g')
const ATTACHED = new RegExp(`^ALTER TABLE ONLY (${QUALIFIED}) ATTACH PARTITION `)
const INHERITED = new RegExp(String.raw`${QUOTED}|\n\)\nINHERITS \((${QUALIFIED}(?:, ${QUALIFIED})*)\)[;\n]`, 'gs')

/** The tables that a table is put below, as SQL names them: the parent of a partition, or those that a table inherits from. */
export function parentsOf({ kind, sql }: PassingEntry): string[] {
  if (kind === 'TABLE ATTACH') return ATTACHED.exec(sql())?.slice(1) ?? []
  if (!kind.endsWith('TABLE')) return []
  const text = sql()
  // Most tables do not inherit, and a definition may have a thousand columns.
  if (!text.includes('\n)\nINHERITS (')) return []
  for (const [, list] of text.matchAll(INHERITED)) if (list !== undefined) return [...list.matchAll(EACH)].map(([name]) => name)
  return []
}

/** The options of a collation. */
export const CREATE_COLLATION = new RegExp(`^CREATE COLLATION ${QUALIFIED} \\((.*)\\);\\s*$`, 's')
/** Without functions, whose bodies are texts, and which a restore does not check. */
const WITH_COLLATIONS = new RegExp(
  '^(?:(?:FOREIGN )?TABLE|(?:MATERIALIZED )?VIEW|INDEX|(?:CHECK )?CONSTRAINT|DOMAIN|TYPE|RULE|POLICY|DEFAULT|STATISTICS|TRIGGER)$',
)
/** A restore searches no schema, so that a name without one is of the server. */
const COLLATED = new RegExp(String.raw`${QUOTED}|\b(?:COLLATE|collation =) (?:"?pg_catalog"?\.)?(${NAME})(?![.\w$])`, 'gs')

/** The collations of the server itself that a definition names: `C`, `de_DE.utf8`, `de-x-icu`. */
export function* serverCollationsOf({ kind, sql }: PassingEntry): Generator<string> {
  if (!WITH_COLLATIONS.test(kind)) return
  const text = sql()
  if (!text.includes('COLLATE ') && !text.includes('collation = ')) return
  for (const [, name] of text.matchAll(COLLATED)) if (name !== undefined) yield plainName(name)
}

/** A name as SQL writes it, without its quotation marks. */
export function plainName(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

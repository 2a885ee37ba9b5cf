import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatSome } from '../../../report/format.ts'
import type { Entry, PassingEntry } from '../contents.ts'
import { standardStringsIn } from '../database-settings.ts'
import { changing, identifier, isAscii, literal, queryJson, type QueryContext } from '../query.ts'
import { Tokens, tokensOf } from '../tokens.ts'
import { CREATE_COLLATION, serverCollationsOf } from './statements.ts'

/** The collations that a backup needs: its own, and those that the server has to have. */
export class NeededCollations {
  /** The options of its own, as the archive has them, with the first collation that has them. */
  readonly own = new Map<string, string>()
  /** Those of the server, with the first entry that names each. */
  readonly named = new Map<string, string>()

  add(entry: PassingEntry): void {
    const where = `${entry.schema}.${entry.name}`
    if (entry.kind === 'COLLATION') {
      const options = CREATE_COLLATION.exec(entry.sql())?.[1]
      if (options !== undefined && options.length <= LONGEST && !this.own.has(options)) this.own.set(options, where)
    }
    for (const name of serverCollationsOf(entry)) if (!this.named.has(name)) this.named.set(name, `${entry.kind} ${where}`)
  }
}

/** Characters of the options of a collation that is tried. Only rules can be longer; the restore itself tries these. */
const LONGEST = 8192
/** Bytes of those that are tried at once. With the longest, they have room in an argument of a program. */
const AT_ONCE = 50_000

/**
 * Throws if the server lacks a locale or a provider of a collation, before anything is restored. `database`: a new one like that of the
 * backup, because collations depend on its encoding.
 */
export async function requireCollations(
  { own, named }: NeededCollations, entries: readonly Entry[], major: number, database: QueryContext,
): Promise<void> {
  const problems = await lacking(named, database)
  for (const some of tries(own, entries)) problems.push(...(await refused(some, database)))
  if (problems.length === 0) return
  throw new LifeboatError(`the scratch server cannot take this database: ${formatSome(problems, 3)}`, { hint: hintFor(problems, major) })
}

const OF_SERVER = `SELECT pg_catalog.json_agg(collname) FROM pg_catalog.pg_collation
WHERE collnamespace = 'pg_catalog'::pg_catalog.regnamespace
  AND collencoding = ANY (ARRAY[-1, pg_catalog.pg_char_to_encoding(pg_catalog.getdatabaseencoding())])`

async function lacking(named: NeededCollations['named'], database: QueryContext): Promise<string[]> {
  if (named.size === 0) return []
  const there = new Set(await queryJson(OF_SERVER, z.array(z.string()), database))
  return [...named].filter(([name]) => !there.has(name)).map(([name, by]) => `it has no collation ${identifier(name)}, which ${by} names`)
}

interface Try {
  name: string
  statement: string
}

/** Statements made from what was read; nothing of the archive is run. Other forms than pg_dump's are left to the restore. */
function* tries(own: NeededCollations['own'], entries: readonly Entry[]): Generator<Try[]> {
  const standardStrings = standardStringsIn(entries)
  // Texts in an encoding that is not known here would be others.
  const exact = entries.some(({ kind, definition = '' }) => kind === 'ENCODING' && definition.includes("'UTF8'"))
  let some: Try[] = []
  let bytes = 0
  for (const [options, name] of own) {
    const statement = exact || isAscii(options) ? made(options, standardStrings) : undefined
    if (statement === undefined) continue
    some.push({ name, statement })
    bytes += Buffer.byteLength(literal(JSON.stringify(statement)))
    if (bytes < AT_ONCE) continue
    yield some
    ;[some, bytes] = [[], 0]
  }
  if (some.length > 0) yield some
}

/** As `dumpCollation` of pg_dump.c writes them. */
function made(options: string, standardStrings: boolean): string | undefined {
  const tokens = new Tokens(tokensOf(options, standardStrings) ?? [])
  const read = tokens.list(() => {
    const name = tokens.word()
    if (name === undefined || !tokens.words('=')) return undefined
    if (/^(?:locale|lc_collate|lc_ctype|rules|version)$/.test(name)) {
      const text = tokens.text()
      return text === undefined ? undefined : `${name} = ${literal(text)}`
    }
    const value = tokens.word()
    const known = name === 'provider' ? PROVIDER : name === 'deterministic' ? /^(?:true|false)$/ : undefined
    return value !== undefined && known?.test(value) ? `${name} = ${value}` : undefined
  })
  return read && tokens.ended ? `CREATE COLLATION pg_temp.tried (${read.join(', ')})` : undefined
}

const PROVIDER = /^(?:libc|icu|builtin|default)$/

/** Runs each statement and takes it back. */
const TRY_EACH = `
DECLARE
  tried pg_catalog.text;
  told pg_catalog.jsonb := '[]';
BEGIN
  FOR tried IN SELECT value FROM pg_catalog.jsonb_array_elements_text(pg_catalog.current_setting('lifeboat.tried')::pg_catalog.jsonb)
    WITH ORDINALITY ORDER BY ordinality
  LOOP
    BEGIN
      EXECUTE tried;
      RAISE SQLSTATE 'LB000';
    EXCEPTION
      WHEN SQLSTATE 'LB000' THEN told := told || 'null'::pg_catalog.jsonb;
      WHEN OTHERS THEN told := told || pg_catalog.to_jsonb(SQLERRM);
    END;
  END LOOP;
  PERFORM pg_catalog.set_config('lifeboat.told', told::pg_catalog.text, true);
END`

async function refused(tried: readonly Try[], database: QueryContext): Promise<string[]> {
  const statements = JSON.stringify(tried.map(({ statement }) => statement))
  const answer = await changing(
    [
      `SELECT WHERE pg_catalog.set_config('lifeboat.tried', ${literal(statements)}, true) IS NULL`,
      `DO LANGUAGE plpgsql ${literal(TRY_EACH)}`,
      "SELECT pg_catalog.current_setting('lifeboat.told')",
    ],
    [],
    database,
  )
  const told = z.array(z.string().nullable()).length(tried.length).parse(JSON.parse(answer.toString()))
  return tried.flatMap(({ name }, index) => (told[index] === null ? [] : [`it cannot make the collation ${name} (${told[index]})`]))
}

function hintFor(problems: readonly string[], major: number): string {
  if (problems.some((problem) => problem.includes('ICU is not supported')))
    return marked`Give a server that was built with ICU: ‹scratch-image: postgres:${major}›, or its URL in ‹scratch-url›.`
  return marked`Give an image of a server that has the locale in ‹scratch-image› (docs/checking.md shows how to make one), or its URL in ` +
    marked`‹scratch-url›; or install the locale on this machine, where the server is started for the drill.`
}

import { z } from 'zod'
import { LifeboatError, messageOf } from '../../../error.ts'
import { BadSource, UnaskedCondition, UnmetCondition } from '../../source.ts'
import { query, queryJson, type QueryContext, withoutTransaction } from '../query.ts'
import type { Assertion } from '../settings.ts'

const names = z.array(z.string())

/** The index of a partitioned table is invalid while partitions lack theirs, at the source as well. */
const INVALID_INDEXES = `SELECT coalesce(pg_catalog.json_agg(indexrelid::pg_catalog.regclass::pg_catalog.text), '[]')
FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indexrelid
WHERE NOT (indisvalid AND indisready AND indislive) AND c.relkind <> 'I'`

/** B-trees of permanent tables, each in its own order; the function is of an extension in a schema of this name. */
const SOUND = (schema: string): string => `SELECT pg_catalog.count(*) FROM (
  SELECT ${schema}.bt_index_check(i.indexrelid) FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am a ON a.oid = c.relam
  WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready) checked`

const SCHEMA = 'lifeboat_amcheck'

/** Indexes of a restored database. The comparison has found constraints and materialized views as they were. Throws BadSource. */
export async function checkIndexes(context: QueryContext): Promise<void> {
  const invalid = await queryJson(INVALID_INDEXES, names, context)
  if (invalid.length > 0) throw new BadSource(`after the restore these indexes are invalid: ${invalid.slice(0, 5).join(', ')}`)
  const available = await queryJson(
    `SELECT pg_catalog.to_json(EXISTS (
      SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck' AND installed_version IS NULL))`,
    z.boolean(),
    context,
  )
  if (!available) return
  try {
    // Nothing of it stays, no event trigger of the database fires, and its settings do not matter.
    const begin = [
      'BEGIN READ WRITE', 'SET LOCAL statement_timeout = 0', 'SET LOCAL search_path = pg_catalog, pg_temp',
      'SET LOCAL session_replication_role = replica',
    ]
    const check = [`CREATE SCHEMA ${SCHEMA}`, `CREATE EXTENSION amcheck SCHEMA ${SCHEMA}`, SOUND(SCHEMA)]
    await withoutTransaction([...begin, ...check, 'ROLLBACK'], { ...context, timeLimit: Infinity })
  } catch (cause) {
    context.signal?.throwIfAborted()
    // amcheck names the index; every other error says nothing about it.
    const [, found] = /^ERROR: +(.*\bindex ".*)$/m.exec(messageOf(cause)) ?? []
    if (found === undefined) throw new LifeboatError(`amcheck could not check the indexes: ${messageOf(cause)}`, { cause })
    throw new BadSource(`after the restore an index is not sound (amcheck): ${found}`, { cause })
  }
}

/** Runs the queries of the user, read-only, with the search path of the database. Gives a problem for each that is not true. */
export async function checkAssertions(assertions: readonly Assertion[], context: QueryContext): Promise<unknown[]> {
  const problems: unknown[] = []
  for (const { name, query: text } of assertions) {
    const statements = ['SET LOCAL search_path TO DEFAULT', `SELECT CASE WHEN (${text}\n) THEN 'true' ELSE 'false' END`]
    try {
      const told = await query(statements, { ...context, codes: true })
      if (told.toString().trim() !== 'true') problems.push(new UnmetCondition(`assert-sql: ${name} is not true in the restored database`))
    } catch (cause) {
      context.signal?.throwIfAborted()
      problems.push(problemOf(name, cause))
    }
  }
  return problems
}

/** Undefined table, column and schema (PostgreSQL documentation, appendix A). */
const MISSING = new Set(['42P01', '42703', '3F000'])

function problemOf(name: string, cause: unknown): LifeboatError {
  const [, code, message = ''] = /^[^\s:]+: {2}([0-9A-Z]{5}): (.*)$/m.exec(causeOf(cause)) ?? []
  if (code === undefined) return new UnaskedCondition(`assert-sql: ${name} could not be asked: ${messageOf(cause)}`, { cause })
  if (MISSING.has(code)) return new UnmetCondition(`assert-sql: ${name} is not true in the restored database: ${message}`, { cause })
  const [, type] = /CASE\/WHEN .*boolean.* (\S+)$/.exec(message) ?? []
  const why = type === undefined ? `${message}. Correct the query` : `the query must give true or false; this one gives ${type}`
  return new UnaskedCondition(`assert-sql: ${name} could not be asked: ${why}`, { cause })
}

/** The words of psql, which `clientError` keeps. */
function causeOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
}

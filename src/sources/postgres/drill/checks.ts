import { randomBytes } from 'node:crypto'
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

/** Codes of errors that tell of a broken index or table (PostgreSQL documentation, appendix A). */
const BROKEN = new Set(['XX001', 'XX002'])
// Nothing of it stays, no event trigger of the database fires, and its settings do not matter.
const begin = (schema: string): string[] => [
  'BEGIN READ WRITE', 'SET LOCAL statement_timeout = 0', 'SET LOCAL search_path = pg_catalog, pg_temp',
  'SET LOCAL session_replication_role = replica', 'DROP EXTENSION IF EXISTS amcheck CASCADE', `CREATE SCHEMA ${schema}`,
  `CREATE EXTENSION amcheck SCHEMA ${schema}`,
]

/**
 * Indexes of a restored database. The comparison has found constraints and materialized views as they were. Throws BadSource. Gives the
 * reason if amcheck cannot be installed: the server decides that, not the backup.
 */
export async function checkIndexes(context: QueryContext): Promise<string | undefined> {
  const invalid = await queryJson(INVALID_INDEXES, names, context)
  if (invalid.length > 0) throw new BadSource(`after the restore these indexes are invalid: ${invalid.slice(0, 5).join(', ')}`)
  const schema = `lifeboat_amcheck_${randomBytes(8).toString('hex')}` // One that no database has.
  const writing = { ...context, codes: true, timeLimit: Infinity } as const
  try {
    await withoutTransaction([...begin(schema), 'ROLLBACK'], writing)
  } catch (cause) {
    context.signal?.throwIfAborted()
    return serverError(cause)?.message ?? messageOf(cause)
  }
  try {
    await withoutTransaction([...begin(schema), SOUND(schema), 'ROLLBACK'], writing)
    return undefined
  } catch (cause) {
    context.signal?.throwIfAborted()
    const { code, message } = serverError(cause) ?? {}
    if (code === undefined || !BROKEN.has(code))
      throw new LifeboatError(`amcheck could not check the indexes: ${message ?? messageOf(cause)}`, { cause })
    throw new BadSource(`after the restore an index is not sound (amcheck): ${message}`, { cause })
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
  const { code, message } = serverError(cause) ?? {}
  if (code === undefined || message === undefined)
    return new UnaskedCondition(`assert-sql: ${name} could not be asked: ${messageOf(cause)}`, { cause })
  if (MISSING.has(code)) return new UnmetCondition(`assert-sql: ${name} is not true in the restored database: ${message}`, { cause })
  const [, type] = /CASE\/WHEN .*boolean.* (\S+)$/.exec(message) ?? []
  const why = type === undefined ? `${message}. Correct the query` : `the query must give true or false; this one gives ${type}`
  return new UnaskedCondition(`assert-sql: ${name} could not be asked: ${why}`, { cause })
}

/** SQLSTATE and the message of the error, after notices, in the words of psql, which `clientError` keeps. */
function serverError(error: unknown): { code: string; message: string } | undefined {
  const told = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  const [, code, message = ''] = /^[^\s:]+: {2}(?!0[01])([0-9A-Z]{5}): (.*)$/m.exec(told) ?? []
  return code === undefined ? undefined : { code, message }
}

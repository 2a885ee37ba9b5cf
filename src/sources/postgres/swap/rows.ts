import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { formatSome } from '../../../report/format.ts'
import type { Table } from '../facts.ts'
import { literal, queryJson, type QueryContext } from '../query.ts'

/** The rows of a table in the archive. */
export interface ArchivedRows {
  schema: string
  name: string
  rows: number
}

/** Those tables of a backup whose rows were counted while it was made. */
export function archivedRows(tables: readonly Pick<Table, 'schema' | 'name' | 'archived'>[]): ArchivedRows[] {
  return tables.flatMap(({ schema, name, archived }) => (archived ? [{ schema, name, rows: archived.rows }] : []))
}

/** Names of a batch, each with at most 63 bytes that JSON may escape, fit into an argument of psql. */
const BATCH = 300
const MOST_NAMED = 5

const countSql = `DO LANGUAGE plpgsql $count$
DECLARE
  wanted pg_catalog.json;
  counted pg_catalog.int8;
  counts pg_catalog.text[] := '{}';
BEGIN
  FOR wanted IN SELECT * FROM pg_catalog.json_array_elements(pg_catalog.current_setting('lifeboat.tables')::pg_catalog.json) LOOP
    BEGIN
      EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM ONLY %I.%I', wanted ->> 0, wanted ->> 1) INTO counted;
    EXCEPTION WHEN undefined_table OR invalid_schema_name THEN
      counted := -1;
    END;
    counts := pg_catalog.array_append(counts, counted::pg_catalog.text);
  END LOOP;
  PERFORM pg_catalog.set_config('lifeboat.counts', pg_catalog.array_to_json(counts)::pg_catalog.text, true);
END $count$`

/**
 * Throws unless the restored tables have the rows that were counted when the backup was made. The rows of partitions are compared as a
 * whole, because some archives load them through the root, where they may find another partition.
 */
export async function requireRows(tables: readonly ArchivedRows[], context: QueryContext): Promise<void> {
  const counts: number[] = []
  for (let at = 0; at < tables.length; at += BATCH) {
    const names = JSON.stringify(tables.slice(at, at + BATCH).map(({ schema, name }) => [schema, name]))
    const texts = await queryJson(
      [
        `SELECT WHERE pg_catalog.set_config('lifeboat.tables', ${literal(names)}, true) IS NULL`, countSql,
        `SELECT pg_catalog.current_setting('lifeboat.counts')`,
      ],
      z.array(z.string()), { ...context, timeLimit: Infinity },
    )
    counts.push(...texts.map(Number))
  }
  const missing = tables.filter((_, index) => counts[index] === -1)
  if (missing.length === 0 && sum(counts) === sum(tables.map(({ rows }) => rows))) return
  const differing = tables.flatMap(({ schema, name, rows }, index) => {
    const now = counts[index]
    return now === rows ? [] : [`${schema}.${name} has ${now === -1 ? 'no table' : (now ?? 0).toLocaleString('en-US')} instead of ` +
      `${rows.toLocaleString('en-US')} rows`]
  })
  throw new LifeboatError(`the restored tables do not have the rows that the backup has: ${formatSome(differing, MOST_NAMED)}`, {
    hint: 'Triggers or rules of the backup may have changed rows. Drill the snapshot to compare everything.',
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}

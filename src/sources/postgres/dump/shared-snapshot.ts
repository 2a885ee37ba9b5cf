import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { holdSession } from '../held-session.ts'
import { identifier, type QueryContext } from '../query.ts'
import type { LargeTable } from './plan.ts'

/** A view of a database that several sessions share. */
export interface SharedSnapshot {
  /** The text by which other sessions take it over, as long as it is not released. */
  readonly id: string
  /** When the server started: behind one address there may be several. */
  readonly start: string
  /** Its server, for messages. */
  readonly where: string
  /** Of sessions under these names, those that its server has now; none if it is lost. */
  readonly find: (names: readonly string[]) => Promise<readonly string[]>
  readonly lost: AbortSignal
  /** False if its session had ended before. */
  readonly release: () => Promise<boolean>
}

/** Each statement of a READ COMMITTED transaction has a snapshot of its own, so the one that is exported is younger than the locks. */
const LOCK_ALL = `DO $lock$
DECLARE found record;
BEGIN
  FOR found IN SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
    ORDER BY c.oid
  LOOP
    EXECUTE pg_catalog.format('LOCK TABLE ONLY %I.%I IN ACCESS SHARE MODE', found.nspname, found.relname);
  END LOOP;
END $lock$`

/**
 * Only sessions in a transaction: a client that looks for the right one of several servers has none while it looks.
 * In a transaction, a server shows the sessions that there were the first time, until that is cleared. Names have no quotes or spaces.
 */
const findSql = (names: readonly string[]): string => `SELECT WHERE pg_catalog.pg_stat_clear_snapshot() IS NULL;
SELECT pg_catalog.concat('found', pg_catalog.string_agg(' ' || application_name, '')) FROM pg_catalog.pg_stat_activity
  WHERE xact_start IS NOT NULL AND application_name IN (${names.map((name) => `'${name}'`).join(', ')})`

/**
 * Locks all tables that pg_dump will lock, and then exports a snapshot: else one could be emptied between the snapshot and the lock of a
 * pg_dump that takes it over, and would be empty in the archive (PostgreSQL documentation, "Caveats" of MVCC). `tables` must be there.
 * `timeout`: milliseconds that it waits for each lock.
 */
export async function shareSnapshot(
  tables: readonly LargeTable[], timeout: number, major: number, context: QueryContext,
): Promise<SharedSnapshot> {
  const statements = [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
    // The session waits for the others, idle, for as long as they take.
    'SET LOCAL statement_timeout = 0',
    'SET LOCAL idle_in_transaction_session_timeout = 0',
    ...(major >= 17 ? ['SET LOCAL transaction_timeout = 0'] : []),
    `SET LOCAL lock_timeout = ${timeout}`,
    'SET LOCAL search_path = pg_catalog, pg_temp',
    ...tables.map(({ schema, name }) => `LOCK TABLE ONLY ${identifier(schema)}.${identifier(name)} IN ACCESS SHARE MODE`),
    LOCK_ALL,
    `SELECT pg_catalog.pg_export_snapshot(), extract(epoch FROM pg_catalog.pg_postmaster_start_time())`,
  ]
  const { answer, ask, lost, release } = await holdSession(statements, { ...context, codes: true }, lostError)
  const [, id, start] = /^([0-9A-Fa-f-]+)\|([\d.]+)$/.exec(answer) ?? []
  if (id !== undefined && start !== undefined) {
    const find = async (names: readonly string[]): Promise<string[]> => (await ask(findSql(names)))?.split(' ').slice(1) ?? []
    return { id, start, where: context.connection.where, find, lost, release: () => release() }
  }
  await release()
  throw new LifeboatError(`${context.connection.where} sent an unexpected answer: ${answer.slice(0, 200)}`)
}

/** The session ended before all pg_dump had taken the snapshot over. */
export function lostError(where: string): LifeboatError {
  return new LifeboatError(`the session at ${where} ended that shares one view of the database among several pg_dump`, {
    hint: marked`Look into the log of the server, and at proxies on the way that end sessions. Then try again. ‹dump-jobs: 1› needs no ` +
      'such session.' })
}

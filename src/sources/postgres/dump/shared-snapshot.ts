import { randomInt } from 'node:crypto'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { holdSession } from '../held-session.ts'
import { identifier, OF_USERS, type QueryContext } from '../query.ts'
import type { LargeTable } from './plan.ts'

/** A view of a database that several sessions share. */
export interface SharedSnapshot {
  /** The text by which other sessions take it over, as long as it is not released. */
  readonly id: string
  /** When the server started: behind one address there may be several. */
  readonly start: string
  /** Its server, for messages. */
  readonly where: string
  readonly lost: AbortSignal
  /** False if its session had ended before. */
  readonly release: () => Promise<boolean>
}

/**
 * Locks all tables that this session has not locked, and exports a snapshot; again, until there is no such table after the export: one
 * that was made while the session waited for another lock may be in the snapshot. Each statement of a READ COMMITTED transaction, also
 * within DO, has a snapshot of its own, so the one that is exported is younger than the locks.
 */
const LOCK_AND_EXPORT = `DO $lock$
DECLARE
  unlocked record;
  exported text;
BEGIN
  LOOP
    FOR unlocked IN SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND ${OF_USERS}
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l
          WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.relation = c.oid)
      ORDER BY c.oid
    LOOP
      EXECUTE pg_catalog.format('LOCK TABLE ONLY %I.%I IN ACCESS SHARE MODE', unlocked.nspname, unlocked.relname);
    END LOOP;
    EXIT WHEN NOT FOUND AND exported IS NOT NULL;
    SELECT pg_catalog.pg_export_snapshot() INTO exported;
  END LOOP;
  PERFORM pg_catalog.set_config('lifeboat.snapshot', exported, true);
END $lock$`

/**
 * The name of a snapshot has the number of its transaction in the slot of its session (ExportSnapshot in snapmgr.c of PostgreSQL). In new
 * servers this is small, so that several behind one address would give the same names.
 */
const MOST_TRANSACTIONS = 10_000
const passTransactions = (count: number): string => `DO $pass$ BEGIN FOR i IN 1 .. ${count} LOOP COMMIT; END LOOP; END $pass$`

/**
 * Locks all tables that pg_dump will lock, and then exports a snapshot: else one could be emptied between the snapshot and the lock of a
 * pg_dump that takes it over, and would be empty in the archive (PostgreSQL documentation, "Caveats" of MVCC). `tables` must be there.
 * `timeout`: milliseconds that it waits for each lock.
 */
export async function shareSnapshot(
  tables: readonly LargeTable[], timeout: number, major: number, context: QueryContext,
): Promise<SharedSnapshot> {
  const statements = [
    passTransactions(randomInt(MOST_TRANSACTIONS)),
    'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
    // The session waits for the others, idle, for as long as they take.
    'SET LOCAL statement_timeout = 0',
    'SET LOCAL idle_in_transaction_session_timeout = 0',
    ...(major >= 17 ? ['SET LOCAL transaction_timeout = 0'] : []),
    `SET LOCAL lock_timeout = ${timeout}`,
    'SET LOCAL search_path = pg_catalog, pg_temp',
    ...tables.map(({ schema, name }) => `LOCK TABLE ONLY ${identifier(schema)}.${identifier(name)} IN ACCESS SHARE MODE`),
    LOCK_AND_EXPORT,
    `SELECT pg_catalog.current_setting('lifeboat.snapshot'), extract(epoch FROM pg_catalog.pg_postmaster_start_time())`,
  ]
  const { answer, lost, release } = await holdSession(statements, { ...context, codes: true }, lostError)
  const [, id, start] = /^([0-9A-Fa-f-]+)\|([\d.]+)$/.exec(answer) ?? []
  if (id !== undefined && start !== undefined) return { id, start, where: context.connection.where, lost, release: () => release() }
  await release()
  throw new LifeboatError(`${context.connection.where} sent an unexpected answer: ${answer.slice(0, 200)}`)
}

/** The session ended before all pg_dump had taken the snapshot over. */
export function lostError(where: string): LifeboatError {
  return new LifeboatError(`the session at ${where} ended that shares one view of the database among several pg_dump`, {
    hint: marked`Look into the log of the server, and at proxies on the way that end sessions. Then try again. ‹dump-jobs: 1› needs no ` +
      'such session.' })
}

import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import type { Report } from '../../../environment.ts'
import { formatSeconds } from '../../../report/format.ts'
import { change, literal, type QueryContext, queryJson } from '../query.ts'
import { list, refuseOthers } from './partitions.ts'
import { type Session, session, sessionsWithLocks, sessionTexts, tellsWaiting } from '../sessions.ts'

/** Tables and views that mode clean replaces, by oid: only these, or everything except these. */
export type ReplacedRelations = { only: readonly number[] } | { but: readonly number[] }

/** Milliseconds between two attempts. */
const PAUSE = 250
/** Milliseconds in the queue for the lock of a table: as long, its readers may have to wait. Short transactions end in that time. */
const BRIEF = 100
/** A session whose transaction is older is not expected to end soon: no attempt is made while it uses a table. */
const OLD = '1 second'
/** Milliseconds for locks of objects that cannot be locked before they are dropped (sequences, functions). */
const LATER = 5000

/** In the message of the error that ends the restore; the server adds its own words. */
const BUSY = 'lifeboat: others use the tables'
/** In a warning now and then, until the locks are taken. */
const WAITING = 'lifeboat: waiting for the locks of tables'

/**
 * SQL for the beginning of the transaction that replaces tables. It takes the locks of all of them before anything is dropped: all in one
 * attempt, or none, because a subtransaction that fails releases its locks. ALTER TABLE … OWNER TO with the same owner takes the lock that
 * DROP needs, with the rights that DROP needs, of every kind of relation, and changes nothing. Autovacuum leaves for those who wait longer
 * than deadlock_timeout; tables in use come first, so that nothing else is locked in that time. Of selected tables, their partitions are
 * looked at once more: others may have made one since the plan.
 */
export function lockFirst(replaced: ReplacedRelations, lockTimeout: number): string {
  return `DO LANGUAGE plpgsql ${literal(`
DECLARE
  until pg_catalog.timestamptz := pg_catalog.clock_timestamp() + '${lockTimeout} milliseconds'::pg_catalog.interval;
  yielding pg_catalog.text := (1.3 * extract(epoch FROM pg_catalog.current_setting('deadlock_timeout')::pg_catalog.interval))
    ::pg_catalog.text || 's';
  told pg_catalog.timestamptz;
  one record;
BEGIN
  LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
          WHERE ${isOfOthers('l')} AND (l.pid IS NULL OR a.backend_type = 'client backend'
              AND a.xact_start < pg_catalog.clock_timestamp() - '${OLD}'::pg_catalog.interval)
            AND l.relation IN (${relations(replaced)}))
      THEN
        FOR one IN SELECT n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner) AS owner, u.relation AS used, u.yields
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN (SELECT l.relation,
              pg_catalog.bool_and(l.mode = 'ShareUpdateExclusiveLock' AND a.backend_type IS DISTINCT FROM 'client backend') AS yields
            FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
            WHERE ${isOfOthers('l')} GROUP BY l.relation) u ON u.relation = c.oid
          WHERE c.oid IN (${relations(replaced)}) AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
          ORDER BY u.relation IS NULL, c.oid
        LOOP
          PERFORM pg_catalog.set_config('lock_timeout', CASE WHEN one.yields THEN yielding ELSE '${BRIEF}ms' END, true);
          EXECUTE pg_catalog.format('ALTER TABLE %I.%I OWNER TO %I', one.nspname, one.relname, one.owner);
        END LOOP;
        EXIT;
      END IF;
    EXCEPTION WHEN lock_not_available OR undefined_table THEN
      NULL;
    END;
    IF pg_catalog.clock_timestamp() > until THEN
      RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = '${BUSY}';
    END IF;
    IF told IS NULL OR told < pg_catalog.clock_timestamp() - '5 seconds'::pg_catalog.interval THEN
      RAISE WARNING '${WAITING}';
      told := pg_catalog.clock_timestamp();
    END IF;
    PERFORM pg_catalog.pg_sleep(${PAUSE / 1000});
    PERFORM pg_catalog.pg_stat_clear_snapshot();
  END LOOP;
  PERFORM pg_catalog.set_config('lock_timeout', '${Math.min(lockTimeout, LATER)}ms', true);
${'only' in replaced ? refuseOthers(replaced.only) : ''}END`)};
`
}

/** Whether the restore ended because it did not get the locks; `errors`: those of pg_restore. */
export function wasBusy(errors: readonly string[]): boolean {
  return errors.some((error) => error.includes(BUSY))
}

/**
 * Takes the locks and releases them at once, before the work that comes first: whoever uses the tables for long is waited for, and told
 * of, before it. Throws if it does not get them.
 */
export async function tryLocks(
  replaced: ReplacedRelations, lockTimeout: number, { signal, ...context }: QueryContext, report: Report,
): Promise<void> {
  const sql = lockFirst(replaced, 0)
  if (Buffer.byteLength(sql) > LONGEST_SQL) return
  const deadline = performance.now() + lockTimeout
  const waits = waitsFor(replaced, lockTimeout, context, report)
  for (;;) {
    signal?.throwIfAborted()
    try {
      return await change(sql, context)
    } catch (error) {
      if (!(error instanceof LifeboatError && error.cause instanceof Error && wasBusy([error.cause.message]))) throw error
    }
    if (performance.now() > deadline) throw await stillBusy(replaced, lockTimeout, context)
    await waits()
    await sleep(LOOK, undefined, { signal }).catch(() => undefined)
  }
}

/** Milliseconds between two attempts before the work. */
const LOOK = 1000
/** Bytes of one argument of psql. */
const LONGEST_SQL = 100_000

/** Tells who uses the tables now. */
export function waitsFor(
  replaced: ReplacedRelations, lockTimeout: number, context: QueryContext, report: Report,
): () => Promise<void> {
  const waits = tellsWaiting(`until nobody else uses tables of ${context.connection.where}`, lockTimeout, report)
  return async () => waits(await sessionsOn(replaced, context))
}

/** Whether pg_restore says that it waits for the locks. */
export function isWaiting(stderr: string): boolean {
  return stderr.includes(WAITING)
}

/** The error for that. The target is as it was before. */
export async function stillBusy(replaced: ReplacedRelations, lockTimeout: number, context: QueryContext): Promise<LifeboatError> {
  const who = sessionTexts(await sessionsOn(replaced, context))
  return new LifeboatError(
    `others used tables of ${context.connection.where} for longer than ${formatSeconds(lockTimeout / 1000)}, and nothing was changed${who}`,
    {
      hint: marked`Stop these clients, raise ‹lock-timeout›, or restore the whole database with ‹mode: swap›, which needs no lock of ` +
        'a table.',
    },
  )
}

/** With 11 characters each, this many fit into one argument of psql. */
const MOST_OIDS = 8000

/** Sessions of clients, and prepared transactions, that have locks of these relations. */
function sessionsOn(replaced: ReplacedRelations, context: QueryContext): Promise<Session[]> {
  const oids = 'only' in replaced ? replaced.only : replaced.but
  const locks = `${isOfOthers('l')} AND l.relation IN (${relations(oids.length > MOST_OIDS ? { but: [] } : replaced)})`
  return queryJson(sessionsWithLocks(locks), z.array(session), context)
}

const isOfOthers = (lock: string): string => `${lock}.granted AND ${lock}.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND ${lock}.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`

/** A query for the oids of the relations, with their partitions and children, their parents, and tables on both sides of foreign keys. */
function relations(replaced: ReplacedRelations): string {
  const chosen = 'only' in replaced ? list(replaced.only) : `SELECT c.oid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM (${list(replaced.but)}) AS other (oid) WHERE other.oid = c.oid)`
  return `WITH RECURSIVE family AS (
      ${chosen} UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON f.oid = i.inhparent)
    SELECT oid FROM family
    UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN family f ON f.oid = i.inhrelid
    UNION SELECT k.confrelid FROM pg_catalog.pg_constraint k JOIN family f ON f.oid = k.conrelid WHERE k.contype = 'f'
    UNION SELECT k.conrelid FROM pg_catalog.pg_constraint k JOIN family f ON f.oid = k.confrelid WHERE k.contype = 'f'`
}

import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LifeboatError, messageOf } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import type { Report } from '../../../environment.ts'
import { formatSeconds, oneLine } from '../../../report/format.ts'
import { change, changing, identifier, literal, type QueryContext, queryJson } from '../query.ts'
import { onceBack } from '../restarting.ts'
import { PREPARED, type Session, session, SESSION, sessionTexts, tellsWaiting } from '../sessions.ts'
import { databasesOf, type NamedDatabase } from './databases.ts'
import { newName } from './names.ts'
import type { Maintenance } from './with-target.ts'

type Named = Pick<NamedDatabase, 'name' | 'oid'>

/** Two databases of a server, of which one gets the name of the other. */
export interface Exchange {
  /** It has the name that both want. */
  live: Named
  incoming: Named
  /** The name that `live` gets. */
  aside: string
  /** More statements of the same transaction, which know both by the names that they have before. */
  statements: readonly string[]
}

/** How the sessions of others are treated. */
export interface ExchangeSettings {
  /** Milliseconds to wait until nobody else uses the two databases. */
  lockTimeout: number
  /** Whether they are ended in place of that. */
  terminate: boolean
  report: Report
}

/** Queries of the exchange itself are not cut. */
type Steady = Omit<Maintenance, 'signal'>

/** Milliseconds between two looks at the sessions of others. */
const LOOK = 250
/** Milliseconds for which new connections may have to wait in vain: PostgreSQL waits 5 s for sessions that are ending. */
const BRIEF = 1000
const WITH_TERMINATION = 8000
/** Each of them ends sessions. */
const MOST_TERMINATIONS = 2

/**
 * Exchanges the names of two databases in one transaction. Gives the milliseconds for which nobody could connect to either; undefined if
 * the connection was cut so that they are not known. Throws if nothing was changed; after an error of the connection, the server is asked.
 */
export async function exchange(given: Exchange, how: ExchangeSettings, maintenance: Maintenance): Promise<number | undefined> {
  const { signal, ...steady } = maintenance
  const deadline = performance.now() + how.lockTimeout
  const waits = tellsWaiting(`until nobody else uses the database ${oneLine(given.live.name)}`, how.lockTimeout, how.report)
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    const others = how.terminate ? [] : await sessionsIn(given.live, maintenance)
    const outcome = others.length > 0 ? 'busy' : await attempted(given, how.terminate, steady)
    if (outcome !== 'busy') return outcome
    waits(others)
    if (how.terminate ? attempt === MOST_TERMINATIONS : performance.now() > deadline)
      throw inUse(given.live, how, await sessionsIn(given.live, steady))
    await sleep(LOOK, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

async function attempted(given: Exchange, terminate: boolean, steady: Steady): Promise<number | 'busy' | undefined> {
  const stop = new AbortController()
  const ending = terminate
    ? change(terminationSql(given.live), { ...steady, signal: stop.signal }).catch(() => undefined)
    : undefined
  try {
    const printed = await changing(
      [`SET LOCAL statement_timeout = ${terminate ? WITH_TERMINATION : BRIEF}`, exchangeSql(given), TOLD],
      [TOLD_AFTER],
      steady,
    )
    const [began = '', ended] = printed.toString().trim().split('\n')
    return began === 'busy' ? 'busy' : Math.max(0, Number(ended) - Number(began))
  } catch (error) {
    if (await wasExchanged(given, error, steady)) return undefined
    throw error
  } finally {
    stop.abort()
    await ending
  }
}

const MILLISECONDS = `pg_catalog.round(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)`
const TOLD = `SELECT pg_catalog.current_setting('lifeboat.exchange')`
const TOLD_AFTER = `SELECT ${MILLISECONDS}`

/**
 * The new database is renamed first: until then server processes that are still at work in it (autovacuum) can keep everybody waiting.
 * From the second ALTER on, PostgreSQL lets new connections to the live database wait. All of it is undone if others use one of the two.
 */
function exchangeSql({ live, incoming, aside, statements }: Exchange): string {
  const between = newName(live.name)
  return `DO LANGUAGE plpgsql ${literal(`
DECLARE
  began pg_catalog.numeric;
  outcome pg_catalog.text;
BEGIN
  BEGIN
    ${statements.map(run).join('\n    ')}
    ${rename(incoming.name, between)}
    began := ${MILLISECONDS};
    ${rename(live.name, aside)}
    ${rename(between, live.name)}
    IF NOT coalesce(${is(aside, live.oid)} AND ${is(live.name, incoming.oid)}, false) THEN
      RAISE EXCEPTION 'another database has the name now: nothing was exchanged';
    END IF;
    outcome := began::pg_catalog.text;
  EXCEPTION WHEN object_in_use OR lock_not_available OR query_canceled THEN
    outcome := 'busy';
  END;
  PERFORM pg_catalog.set_config('lifeboat.exchange', outcome, true);
END`)}`
}

function run(sql: string): string {
  return `EXECUTE ${literal(sql)};`
}

function rename(from: string, to: string): string {
  return run(`ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`)
}

function is(name: string, oid: number): string {
  return `(SELECT oid FROM pg_catalog.pg_database WHERE datname = ${literal(name)}) = ${oid}`
}

/**
 * Ends the sessions of others as soon as, and as long as, the exchange holds the lock that keeps new ones out: no client connects in
 * between. It ends with the exchange.
 */
function terminationSql({ oid }: Named): string {
  return `DO LANGUAGE plpgsql ${literal(`
DECLARE
  holder pg_catalog.int4;
  other pg_catalog.int4;
  until pg_catalog.timestamptz := pg_catalog.clock_timestamp() + '15 seconds'::pg_catalog.interval;
BEGIN
  WHILE pg_catalog.clock_timestamp() < until LOOP
    SELECT pid INTO holder FROM pg_catalog.pg_locks WHERE locktype = 'object' AND classid = 'pg_catalog.pg_database'::pg_catalog.regclass
      AND objid = ${oid} AND mode = 'AccessExclusiveLock' AND granted;
    IF holder IS NOT NULL THEN
      PERFORM pg_catalog.pg_stat_clear_snapshot();
      FOR other IN SELECT pid FROM pg_catalog.pg_stat_activity WHERE datid = ${oid} AND pid <> holder LOOP
        BEGIN
          PERFORM pg_catalog.pg_terminate_backend(other);
        EXCEPTION WHEN insufficient_privilege THEN
          NULL;
        END;
      END LOOP;
    END IF;
    PERFORM pg_catalog.pg_sleep(0.005);
  END LOOP;
END`)}`
}

/** Whether two databases were exchanged is not known. */
export class OutcomeUnknown extends LifeboatError {}

/** Asks the server after an error that could have come after the transaction. Throws if it does not answer. */
async function wasExchanged({ live, incoming, aside }: Exchange, cause: unknown, steady: Steady): Promise<boolean> {
  try {
    const databases = await onceBack(() => databasesOf(steady), steady.interrupted)
    return databases.some(({ name, oid }) => name === live.name && oid === incoming.oid)
  } catch {
    throw new OutcomeUnknown(
      `the connection was lost while the databases were exchanged, and whether they were is not known: ${messageOf(cause)}`,
      {
        hint:
          `If the server has a database "${aside}", they were: that is the one from before. Otherwise nothing was changed. Both ` +
          'databases are whole.',
        cause,
      },
    )
  }
}

/** Sessions of clients, and transactions that are prepared. Server processes end by themselves. */
export function sessionsIn({ oid }: Pick<Named, 'oid'>, context: QueryContext): Promise<Session[]> {
  return queryJson(
    `SELECT coalesce(pg_catalog.json_agg(s), '[]') FROM (
      SELECT ${SESSION} FROM pg_catalog.pg_stat_activity WHERE datid = ${oid} AND backend_type <> 'autovacuum worker'
      UNION ALL SELECT ${PREPARED}
      FROM pg_catalog.pg_prepared_xacts p JOIN pg_catalog.pg_database d ON d.datname = p.database WHERE d.oid = ${oid}) AS s`,
    z.array(session),
    context,
  )
}

function inUse({ name }: Named, { terminate, lockTimeout }: Omit<ExchangeSettings, 'report'>, sessions: readonly Session[]): LifeboatError {
  const waited = terminate ? 'although its sessions were to be ended' : `for longer than ${formatSeconds(lockTimeout / 1000)}`
  return new LifeboatError(`others used the database ${name} ${waited}, and nothing was exchanged${sessionTexts(sessions)}`, {
    hint: terminate
      ? 'Only a superuser may end sessions of superusers; others need GRANT pg_signal_backend. Prepared transactions must be ended by hand.'
      : marked`Stop the clients, raise ‹lock-timeout›, or end their sessions for the exchange with ‹terminate-connections: true›.`,
  })
}

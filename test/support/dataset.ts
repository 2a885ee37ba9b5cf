import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Server } from './postgres-server.ts'

/**
 * Makes the tables of a web shop in an empty database and fills them; `megabytes` is about what pg_dump writes of it
 * uncompressed. The same seed gives the same rows.
 */
export async function loadDataset(server: Server, database: string, options: { megabytes: number; seed?: number }): Promise<void> {
  const { megabytes, seed = 1 } = options
  await runScripts(server, database, { seed, megabytes, words: megabytes < 1 ? 200 : 6000 }, ['schema', 'rows', 'indexes'])
  await server.sql('VACUUM ANALYZE', database)
}

/**
 * Changes a database that loadDataset filled the way use does: the given fractions of its rows, scattered over all the
 * tables, vanish and change, and new ones fill the free space between the others.
 */
export async function changeDataset(
  server: Server,
  database: string,
  options: { insertFraction?: number; updateFraction?: number; deleteFraction?: number; seed?: number } = {},
): Promise<void> {
  const { insertFraction = 0.05, updateFraction = 0.01, deleteFraction = 0.005, seed = 2 } = options
  const events = Number(await server.sql('SELECT count(*) FROM events', database))
  const megabytes = (insertFraction * events) / eventsPerMegabyte
  const variables = { seed, megabytes, update_fraction: updateFraction, delete_fraction: deleteFraction }
  await runScripts(server, database, variables, ['changes', 'rows'])
  await server.sql('REFRESH MATERIALIZED VIEW monthly_sales', database)
}

const eventsPerMegabyte = 1500

/** The same tables with about a thousand rows. */
export async function loadSmall(server: Server, database: string): Promise<void> {
  await loadDataset(server, database, { megabytes: 0.08 })
}

/** Empty tables, each with a key and a column that is stored apart where it is long. */
export async function loadTables(server: Server, database: string, count: number): Promise<void> {
  await server.sql(
    `DO $$ BEGIN FOR i IN 1..${count} LOOP
       EXECUTE format('CREATE TABLE number_%s (id int PRIMARY KEY, note text)', i);
       IF i % 200 = 0 THEN COMMIT; END IF;
     END LOOP; END $$;
     VACUUM ANALYZE`,
    database,
  )
}

/** Large objects of a megabyte each, which no program can compress, in the dump neither: it holds them as they are. */
export async function loadIncompressible(server: Server, database: string, megabytes: number, seed = 1): Promise<void> {
  await server.sql(
    `CREATE TABLE noise (id integer PRIMARY KEY, object oid NOT NULL);
     INSERT INTO noise
     SELECT n, lo_from_bytea((700000 + n)::oid, (SELECT string_agg(sha512(convert_to(format('%s %s %s', ${seed}, n, block), 'UTF8')), '')
                                 FROM generate_series(1, 16384 + n * 0) AS block))
     FROM generate_series(1, ${megabytes}) AS n;`,
    database,
  )
}

/** The tables that `pgbench -i -s SCALE` makes, about 10 MB of dump for each unit of scale: 100,000 rows that are nearly all alike. */
export async function loadPgbench(server: Server, database: string, scale: number): Promise<void> {
  await server.sql(
    `CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
     CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
     CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
     CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
     INSERT INTO pgbench_branches SELECT n, 0 FROM generate_series(1, ${scale}) AS n;
     INSERT INTO pgbench_tellers SELECT n, (n - 1) / 10 + 1, 0 FROM generate_series(1, ${scale * 10}) AS n;
     INSERT INTO pgbench_accounts SELECT n, (n - 1) / 100000 + 1, 0, '' FROM generate_series(1, ${scale * 100_000}) AS n;
     ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
     VACUUM ANALYZE`,
    database,
  )
}

/** The transactions of `pgbench`, with the same random numbers every time: each changes an account anywhere, a teller and a branch, and adds a row of history. */
export async function runPgbench(server: Server, database: string, transactions: number): Promise<void> {
  await server.sql(
    `SELECT setseed(0.5);
     DO $$ DECLARE scale int := (SELECT count(*) FROM pgbench_branches); account int; teller int; branch int; delta int;
     BEGIN
       FOR i IN 1..${transactions} LOOP
         account := 1 + random() * (scale * 100000 - 1); teller := 1 + random() * (scale * 10 - 1); branch := 1 + random() * (scale - 1);
         delta := random() * 10000 - 5000;
         UPDATE pgbench_accounts SET abalance = abalance + delta WHERE aid = account;
         UPDATE pgbench_tellers SET tbalance = tbalance + delta WHERE tid = teller;
         UPDATE pgbench_branches SET bbalance = bbalance + delta WHERE bid = branch;
         INSERT INTO pgbench_history VALUES (teller, branch, account, delta, timestamp '2026-11-20' + i * interval '1 millisecond');
         IF i % 10 = 0 THEN COMMIT; END IF;
       END LOOP;
     END $$`,
    database,
  )
}

async function runScripts(server: Server, database: string, variables: Record<string, number>, names: string[]): Promise<void> {
  const settings = Object.entries(variables).map(([name, value]) => `\\set ${name} ${value}\n`)
  const scripts = names.map((name) => readFileSync(path.join(import.meta.dirname, 'dataset', `${name}.sql`), 'utf8'))
  await server.sql([...settings, ...scripts].join(''), database)
}

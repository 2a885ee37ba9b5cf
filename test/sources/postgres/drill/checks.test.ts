import { parseDatabaseUrl, withOptions } from '../../../../src/sources/postgres/connection.ts'
import { checkIndexes } from '../../../../src/sources/postgres/drill/checks.ts'
import type { QueryContext } from '../../../../src/sources/postgres/query.ts'
import { BadSource } from '../../../../src/sources/source.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'
import { thrownBy } from '../../../support/thrown.ts'

let server: Server
beforeAll(async () => {
  server = await startServer(18)
  await server.createDatabase('healthy')
  await server.sql(`
    CREATE FUNCTION compared(int, int) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT btint4cmp($1, $2)';
    CREATE OPERATOR CLASS own_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compared(int, int);
    CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g % 7 FROM generate_series(1, 500) g;
    CREATE INDEX ordered ON t (n own_ops); CREATE INDEX "odd name" ON t USING hash (n)`, 'healthy')
})
afterAll(() => server.stop())

function context(database: string): QueryContext {
  const variables = { PATH: process.env.PATH ?? '' }
  return { connection: parseDatabaseUrl(server.url(database), variables), client: { major: 18, directory: clientDirectory(18) }, variables }
}

async function broken(change: string): Promise<Error> {
  await server.sql('CREATE DATABASE broken TEMPLATE healthy')
  try {
    await server.sql(change, 'broken')
    return await thrownBy(checkIndexes(context('broken')))
  } finally {
    await server.sql('DROP DATABASE broken')
  }
}

test('healthy indexes are sound, and the check leaves nothing', async () => {
  expect(await checkIndexes(context('healthy'))).toBeUndefined()
  expect(await server.sql("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'", 'healthy')).toBe('0')
})

test('where amcheck cannot be installed, the reason is given, and the indexes are valid all the same', async () => {
  const healthy = context('healthy')
  const without = { ...healthy, connection: withOptions(healthy.connection, [['extension_control_path', '/nowhere']]) }
  expect(await checkIndexes(without)).toBe('extension "amcheck" is not available')
})

test('no schema of a database keeps amcheck away', async () => {
  await server.sql('CREATE DATABASE named TEMPLATE healthy')
  await server.sql('CREATE SCHEMA lifeboat_amcheck', 'named')
  expect(await checkIndexes(context('named'))).toBeUndefined()
})

test('a database that has amcheck itself keeps it', async () => {
  await server.sql('CREATE SCHEMA own; CREATE EXTENSION amcheck SCHEMA own', 'healthy')
  try {
    expect(await checkIndexes(context('healthy'))).toBeUndefined()
    expect(await server.sql("SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'amcheck'", 'healthy')).toBe('own')
  } finally {
    await server.sql('DROP EXTENSION amcheck', 'healthy')
  }
})

test('an invalid index is found by its name', async () => {
  const error = await broken(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"odd name"'::regclass`)
  expect(error).toBeInstanceOf(BadSource)
  expect(error.message).toBe('after the restore these indexes are invalid: public."odd name"')
})

test('an index whose entries are not in order is found', async () => {
  const error = await broken(`CREATE OR REPLACE FUNCTION compared(int, int) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT btint4cmp($2, $1)'`)
  expect(error).toBeInstanceOf(BadSource)
  expect(error.message).toMatch(/^after the restore an index is not sound \(amcheck\): .*ordered/)
})

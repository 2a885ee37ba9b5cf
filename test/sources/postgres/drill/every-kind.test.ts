import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Server, startServer } from '../../../support/postgres-server.ts'

const kinds = readFileSync(path.join(import.meta.dirname, '../../../support/dataset/kinds.sql'), 'utf8')

let server: Server
beforeAll(async () => {
  server = await startServer(17, { settings: { wal_level: 'logical' } })
  await server.sql('CREATE ROLE kinds_owner; CREATE ROLE kinds_reader')
  await server.createDatabase('kinds')
  await server.sql(kinds, 'kinds')
})
afterAll(() => server.stop())

/** Without objects of a user: those of clusters, of what a dump does not have, and of modules that servers do not come with. */
const WITHOUT = [
  'pg_authid', 'pg_auth_members', 'pg_database', 'pg_db_role_setting', 'pg_parameter_acl', 'pg_replication_origin', 'pg_tablespace', 'pg_shdescription',
  'pg_seclabel', 'pg_shseclabel', 'pg_statistic', 'pg_statistic_ext_data', 'pg_subscription_rel', 'pg_publication_namespace', 'pg_shdepend',
  'pg_depend', 'pg_init_privs',
]
/** Values that PostgreSQL 17 has, and what tells one kind of object of a catalog from another. */
const VALUES: readonly [catalog: string, column: string, values: string][] = [
  ['pg_class', 'relkind', 'rpiISvmtfc'], ['pg_type', 'typtype', 'bcdemrp'], ['pg_proc', 'prokind', 'fpaw'], ['pg_constraint', 'contype', 'cfpuxt'], ['pg_am', 'amtype', 'it'],
  ['pg_cast', 'castmethod', 'fib'], ['pg_default_acl', 'defaclobjtype', 'rf'], ['pg_partitioned_table', 'partstrat', 'lrh'], ['pg_collation', 'collprovider', 'ci'],
]

test('the database of every kind has an object in each catalog that has any', async () => {
  const listed = await server.sql("SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' ORDER BY 1", 'kinds')
  const empty: string[] = []
  for (const catalog of listed.split('\n')) {
    const oid = await server.sql(`SELECT count(*) FROM pg_attribute WHERE attrelid = 'pg_catalog.${catalog}'::regclass AND attname = 'oid'`, 'kinds')
    // Those without oids of their own name the object that they belong to first.
    const key = oid === '1' ? 'oid' : await server.sql(`SELECT attname FROM pg_attribute WHERE attrelid = 'pg_catalog.${catalog}'::regclass AND attnum = 1`, 'kinds')
    if ((await server.sql(`SELECT EXISTS (SELECT FROM pg_catalog.${catalog} WHERE ${key}::bigint >= 16384)`, 'kinds')) === 'f') empty.push(catalog)
  }
  expect(empty.filter((catalog) => !WITHOUT.includes(catalog))).toEqual([])
})

test.each(VALUES)('it has objects of each %s.%s', async (catalog, column, values) => {
  const found = await server.sql(`SELECT DISTINCT ${column} FROM pg_catalog.${catalog} WHERE ${catalog === 'pg_partitioned_table' ? 'partrelid' : 'oid'} >= 16384`, 'kinds')
  expect(values.split('').filter((value) => !found.split('\n').includes(value))).toEqual([])
})

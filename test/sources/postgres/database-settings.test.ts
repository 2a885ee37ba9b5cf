import type { Entry } from '../../../src/sources/postgres/contents.ts'
import { createStatement, databaseSettings } from '../../../src/sources/postgres/database-settings.ts'

const choice = { noOwner: false, noPrivileges: false, noTablespaces: false }
const entry = (kind: string, definition: string, name = 'shop', owner = ''): Entry => ({ id: 1, kind, schema: '', name, owner, tablespace: '', needs: [], inherits: false, definition })
const DEFINITION = "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8';\n"
const settingsOf = (...more: Entry[]) => databaseSettings([entry('DATABASE', DEFINITION), ...more], 'new', choice)!

test('every form that pg_dump writes is read, and made again for the new name', () => {
  const settings = databaseSettings([
    entry('STDSTRINGS', "SET standard_conforming_strings = 'on';\n", 'STDSTRINGS'),
    entry('DATABASE', `CREATE DATABASE "my ""shop" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'de' ICU_RULES = E'&a < \\\\b' TABLESPACE = fast;\n`, 'my "shop', 'The Owner'),
    entry('COMMENT', `COMMENT ON DATABASE "my ""shop" IS 'the shop''s \\ one';\n`, 'DATABASE my "shop'),
    entry('SECURITY LABEL', `SECURITY LABEL FOR selinux ON DATABASE "my ""shop" IS 'secret';\n`, 'DATABASE my "shop'),
    entry('ACL', 'REVOKE CONNECT,TEMPORARY ON DATABASE shop FROM PUBLIC;\nREVOKE ALL ON DATABASE shop FROM app;\nGRANT ALL ON DATABASE shop TO "PUBLIC" WITH GRANT OPTION;\nSET SESSION AUTHORIZATION other;\nGRANT CONNECT ON DATABASE shop TO app;\nRESET SESSION AUTHORIZATION;\n', 'DATABASE shop'),
    entry('DATABASE PROPERTIES', `ALTER DATABASE shop CONNECTION LIMIT = 42;\nALTER DATABASE shop IS_TEMPLATE = true;\nALTER DATABASE shop SET "app.tenant" TO E'it''s \\\\ 1';\nALTER DATABASE shop SET search_path TO 'a', 'b, c';\nALTER DATABASE shop SET default_transaction_read_only TO 'on';\nALTER ROLE app IN DATABASE shop SET work_mem TO '1MB';\n`),
  ], 'new "one', choice)!
  const name = '"new ""one"'
  expect(createStatement('new "one', settings.options, 17)).toBe(
    `CREATE DATABASE ${name} WITH TEMPLATE = "template0" ENCODING =  E'UTF8' LOCALE_PROVIDER = "icu" LOCALE =  E'C' ICU_LOCALE =  E'de' ICU_RULES =  E'&a < \\\\b' TABLESPACE = "fast"`)
  expect(settings.early).toEqual([
    `ALTER DATABASE ${name} OWNER TO "The Owner"`,
    `COMMENT ON DATABASE ${name} IS  E'the shop\\'s \\\\ one'`.replace("\\'", "''"),
    `SECURITY LABEL FOR "selinux" ON DATABASE ${name} IS  E'secret'`,
    `REVOKE CONNECT, TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
    `REVOKE ALL ON DATABASE ${name} FROM "app"`,
    `GRANT ALL ON DATABASE ${name} TO "PUBLIC" WITH GRANT OPTION`,
    'SET LOCAL SESSION AUTHORIZATION "other"',
    `GRANT CONNECT ON DATABASE ${name} TO "app"`,
    'RESET SESSION AUTHORIZATION',
    `ALTER DATABASE ${name} SET "app.tenant" TO  E'it''s \\\\ 1'`,
    `ALTER DATABASE ${name} SET "search_path" TO  E'a',  E'b, c'`,
    `ALTER ROLE "app" IN DATABASE ${name} SET "work_mem" TO  E'1MB'`,
  ])
  expect(settings.late).toEqual([
    `ALTER DATABASE ${name} CONNECTION LIMIT = 42`, `ALTER DATABASE ${name} IS_TEMPLATE = true`, `ALTER DATABASE ${name} SET "default_transaction_read_only" TO  E'on'`,
  ])
  expect([...settings.roles].toSorted()).toEqual(['PUBLIC', 'The Owner', 'app', 'other'])
})

test('a backslash in an ordinary text is read as the setting of the archive says', () => {
  const comment = entry('COMMENT', String.raw`COMMENT ON DATABASE shop IS 'a\\b';` + '\n', 'DATABASE shop')
  const of = (strings: string) => settingsOf(entry('STDSTRINGS', `SET standard_conforming_strings = '${strings}';\n`, 'STDSTRINGS'), comment).early[0]
  expect(of('on')).toBe(String.raw`COMMENT ON DATABASE "new" IS  E'a\\\\b'`)
  expect(of('off')).toBe(String.raw`COMMENT ON DATABASE "new" IS  E'a\\b'`)
})

test.each([
  ['COMMENT', "COMMENT ON DATABASE shop IS 'x'; DROP TABLE users;\n", 'DATABASE shop'],
  ['COMMENT', "COMMENT ON DATABASE shop IS 'x'\n\\! id\n;\n", 'DATABASE shop'],
  ['COMMENT', String.raw`COMMENT ON DATABASE shop IS E'x\'; DROP TABLE users; --';` + '\n', 'DATABASE shop'],
  ['COMMENT', "COMMENT ON TABLE shop IS 'x';\n", 'DATABASE shop'],
  ['COMMENT', "COMMENT ON DATABASE shop IS 'x'", 'DATABASE shop'],
  ['DATABASE PROPERTIES', 'ALTER DATABASE shop SET work_mem TO pg_sleep(1);\n', 'shop'],
  ['DATABASE PROPERTIES', 'ALTER ROLE app SUPERUSER;\n', 'shop'],
  ['DATABASE PROPERTIES', "ALTER ROLE app IN DATABASE shop SET a TO 'b' SUPERUSER;\n", 'shop'],
  ['DATABASE PROPERTIES', "ALTER DATABASE shop /* x */ SET a TO 'b';\n", 'shop'],
  ['DATABASE PROPERTIES', "ALTER DATABASE shop SET a TO $$b$$;\n", 'shop'],
  ['ACL', 'GRANT ALL ON TABLE users TO PUBLIC;\n', 'DATABASE shop'],
  ['ACL', 'GRANT pg_execute_server_program ON DATABASE shop TO app;\n', 'DATABASE shop'],
  ['ACL', 'GRANT pg_execute_server_program TO app;\n', 'DATABASE shop'],
  ['SECURITY LABEL', "SECURITY LABEL FOR x ON ROLE shop IS 'x';\n", 'DATABASE shop'],
])('%s: %j is refused, and not run', (kind, definition, name) => {
  expect(() => settingsOf(entry(kind, definition, name))).toThrow('the archive has an unexpected statement about its database')
})

test.each(['CREATE DATABASE shop;DROP DATABASE shop;', 'CREATE DATABASE shop WITH ALLOW_CONNECTIONS = false;', 'CREATE DATABASE shop WITH TEMPLATE = template0 -- x\n;', "CREATE DATABASE shop WITH LOCALE = 'C'"])('%j is refused as a definition', (definition) => {
  expect(() => databaseSettings([entry('DATABASE', definition)], 'new', choice)).toThrow('unexpected statement')
})

test('options that a server does not know are left out if they are the default, and refused otherwise', () => {
  const { options } = settingsOf()
  expect(createStatement('new', options, 15)).toContain('LOCALE_PROVIDER')
  expect(createStatement('new', options, 14)).not.toContain('LOCALE_PROVIDER')
  const icu = databaseSettings([entry('DATABASE', DEFINITION.replace('libc', 'icu'))], 'new', choice)!
  expect(() => createStatement('new', icu.options, 14)).toThrow('the database was made with LOCALE_PROVIDER, which PostgreSQL 14 does not know')
})

test('owner, privileges and tablespace can be left out', () => {
  const all = [entry('DATABASE', DEFINITION.replace(';', ' TABLESPACE = fast;'), 'shop', 'app'), entry('ACL', 'GRANT CONNECT ON DATABASE shop TO app;\n', 'DATABASE shop')]
  const settings = databaseSettings(all, 'new', { noOwner: true, noPrivileges: true, noTablespaces: true })!
  expect(settings).toMatchObject({ early: [], late: [] })
  expect(createStatement('new', settings.options, 17)).not.toContain('TABLESPACE')
})

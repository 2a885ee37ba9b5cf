import { onlyBySuperusers, parentsOf } from '../../../../src/sources/postgres/drill/statements.ts'
import { inOrder, listsRoles } from '../../../../src/sources/postgres/drill/role-lists.ts'

const entry = (kind: string, sql: string) => ({ id: 1, kind, schema: 'm', name: 'f', owner: 'mallory', sql: () => sql })

const sql = (roles: string, more = ' USING (true)') => `--\n\nCREATE POLICY p ON m."t TO x" FOR SELECT TO ${roles}${more};\n\n\n`

test.each([
  ['FUNCTION', 'CREATE FUNCTION m.f(text, text) RETURNS boolean\n    LANGUAGE internal IMMUTABLE STRICT\n    AS $$texteq$$;\n', true],
  ['FUNCTION', `CREATE FUNCTION m.f(t text DEFAULT 'it''s'::text) RETURNS int\n    LANGUAGE c\n    AS '$libdir/x', 'y';\n`, true],
  ['PROCEDURE', 'CREATE PROCEDURE m.f()\n    LANGUAGE "c"\n    AS $$x$$;\n', true],
  ['FUNCTION', 'CREATE FUNCTION m.f() RETURNS int\n    LANGUAGE plpgsql\n    AS $$BEGIN RETURN 1; END$$;\n', false],
  // Names and texts that look like the clause.
  ['FUNCTION', `CREATE FUNCTION m.f(a m.d[] DEFAULT '{1}', t text DEFAULT ' LANGUAGE c ') RETURNS int\n    LANGUAGE sql\n    AS $$SELECT 1$$;\n`, false],
  ['FUNCTION', `CREATE FUNCTION m.f(t text DEFAULT E'\\\\'' LANGUAGE c ') RETURNS int\n    LANGUAGE sql\n    AS $$SELECT 1$$;\n`, false],
  ['FUNCTION', 'CREATE FUNCTION m."f "" LANGUAGE c "() RETURNS int\n    LANGUAGE sql\n    AS $$SELECT 1$$;\n', false],
  ['FUNCTION', 'CREATE FUNCTION m.f() RETURNS int\n    LANGUAGE plpgsql\n    AS $$ LANGUAGE c $$;\n', false],
  ['VIEW', `CREATE VIEW m.f AS\n SELECT 'x' LANGUAGE c;\n`, false],
  ['TYPE', 'CREATE TYPE m.base (\n    INTERNALLENGTH = variable,\n    INPUT = m.base_in\n);\n', true],
  ['TYPE', 'CREATE TYPE m.only_a_name;\n', true],
  ['TYPE', 'CREATE TYPE m.base AS (\n\ta integer\n);\n', false],
  ['TYPE', `CREATE TYPE m."a (\n    INTERNALLENGTH = " AS ENUM (\n    'a'\n);\n`, false],
  ['TYPE', 'CREATE TYPE m.spans AS RANGE (\n    subtype = double precision\n);\n', false],
])('of a %s made by %j only a superuser can be the maker: %s', (kind, sql, expected) => {
  expect(onlyBySuperusers(entry(kind, sql))).toBe(expected)
})

test.each([
  ['TABLE ATTACH', `ALTER TABLE ONLY public.audit ATTACH PARTITION app.audit_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');\n`, ['public.audit']],
  ['TABLE ATTACH', 'ALTER TABLE ONLY "a ""b"."c.d" ATTACH PARTITION app.x DEFAULT;\n', ['"a ""b"."c.d"']],
  ['TABLE', 'CREATE TABLE app.kid (\n    extra text\n)\nINHERITS (public.base, public."b, c");\n', ['public.base', 'public."b, c"']],
  ['FOREIGN TABLE', "CREATE FOREIGN TABLE app.kid (\n    extra text\n)\nINHERITS (public.base)\nSERVER s OPTIONS (\n    a 'b'\n);\n", ['public.base']],
  ['TABLE', "CREATE TABLE app.kid (\n    extra text\n)\nINHERITS (public.base)\nWITH (fillfactor='70');\n", ['public.base']],
  ['TABLE', "CREATE TABLE app.kid (\n    extra text DEFAULT '\n)\nINHERITS (public.base)'::text\n);\n", []],
  // Texts with the whole clause, before the clause and without one.
  ['TABLE', "CREATE TABLE app.kid (\n    a text DEFAULT E'\\\\\\'x\n)\nINHERITS (pg_catalog.pg_class);\n'::text\n);\n", []],
  ['TABLE', "CREATE TABLE app.kid (\n    a text DEFAULT 'it''s\n)\nINHERITS (public.boss);\n'::text\n)\nINHERITS (public.base);\n", ['public.base']],
  ['TABLE', 'CREATE TABLE app.kid (\n    "\n)\nINHERITS (public.boss);\n" text\n);\n', []],
  ['FOREIGN TABLE', "CREATE FOREIGN TABLE app.kid (\n    a text\n)\nINHERITS (public.base)\nSERVER s OPTIONS (\n    a '\n)\nINHERITS (public.boss);\n'\n);\n", ['public.base']],
  ['TABLE', 'CREATE TABLE app.kid (\n    extra text\n);\n', []],
  ['VIEW', 'CREATE VIEW app.v AS\n SELECT 1\n)\nINHERITS (public.base);\n', []],
])('the parents in the %s %j are %j', (kind, sql, parents) => {
  expect(parentsOf(entry(kind, sql))).toEqual(parents)
})

test('roles of policies and default privileges are compared in any order, everything else of them as it is', () => {
  const policy = '-- Name: t p; Type: POLICY; Schema: m; Owner: o'
  expect(inOrder(policy, sql('b, "a, z", c'))).toBe(inOrder(policy, sql('c, b, "a, z"')))
  expect(inOrder(policy, sql('b, c'))).not.toBe(inOrder(policy, sql('b, d')))
  expect(inOrder(policy, sql('b, c'))).not.toBe(inOrder(policy, sql('b, c', ' USING (false)')))
  expect(inOrder(policy, sql('b', ` USING (x = 'TO c, b')`))).not.toBe(inOrder(policy, sql('b', ` USING (x = 'TO b, c')`)))
  const acl = '-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: m; Owner: o'
  const grants = ['GRANT SELECT ON TABLES TO b;', 'GRANT SELECT ON TABLES TO a;'].map((grant) => `ALTER DEFAULT PRIVILEGES FOR ROLE o IN SCHEMA m ${grant}\n`)
  expect(inOrder(acl, grants.join(''))).toBe(inOrder(acl, grants.toReversed().join('')))
  expect(inOrder(acl, grants.join(''))).not.toBe(inOrder(acl, grants[0]!))
  expect([policy, acl, '-- Name: x; Type: POLICY; Schema: ; Type: TABLE; Schema: m; Owner: o'].map(listsRoles)).toEqual([true, true, false])
})

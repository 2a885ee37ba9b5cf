import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { dump, restoreInto } from '../../support/restoring.ts'
import { thrownBy } from '../../support/thrown.ts'

let old: Server
let current: Server
let temporary: string
const told: string[] = []
beforeAll(async () => {
  ;[old, current] = await Promise.all([startServer(14), startServer(18)])
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-older-'))
  await current.sql('CREATE ROLE reader')
  await old.sql('CREATE ROLE reader')
})
beforeEach(() => void told.splice(0))
afterAll(async () => {
  rmSync(temporary, { recursive: true, force: true })
  await Promise.all([old.stop(), current.stop()])
})

const NEW_THINGS = `
  CREATE TABLE twice (id int PRIMARY KEY, half int, whole int GENERATED ALWAYS AS ((half + (CASE WHEN half > 1 THEN half ELSE 0 END))) VIRTUAL);
  CREATE TABLE stored (id int, half int, whole int GENERATED ALWAYS AS (half * 2) STORED);
  CREATE EXTENSION btree_gist;
  CREATE TABLE rooms (room int, during tstzrange, CONSTRAINT alone PRIMARY KEY (room, during WITHOUT OVERLAPS));
  CREATE TABLE stays (room int, during tstzrange, CONSTRAINT inside FOREIGN KEY (room, PERIOD during) REFERENCES rooms (room, PERIOD during));
  CREATE TABLE lax (price int, CONSTRAINT cheap CHECK (price < 10) NOT ENFORCED);
  CREATE TABLE solitary (id int, CONSTRAINT given NOT NULL id NO INHERIT);
  CREATE TABLE base (id int); CREATE TABLE heir () INHERITS (base); ALTER TABLE heir ADD CONSTRAINT of_heir NOT NULL id;
  CREATE TABLE later (id int); ALTER TABLE later ADD CONSTRAINT some_day NOT NULL id NOT VALID;
  CREATE TABLE codes (code text, CONSTRAINT one_null UNIQUE NULLS NOT DISTINCT (code)); CREATE UNIQUE INDEX also_one ON codes (lower(code)) NULLS NOT DISTINCT;
  CREATE TABLE named (id uuid DEFAULT uuidv7(), price numeric(3, -2));
  CREATE TABLE held (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE holds (a int, b int, CONSTRAINT half FOREIGN KEY (a, b) REFERENCES held ON DELETE SET NULL (b));
  CREATE VIEW own WITH (security_invoker = true) AS SELECT id FROM stored;
  CREATE VIEW parts AS SELECT t.x FROM stored, JSON_TABLE('[1]'::jsonb, '$[*]' COLUMNS (x int PATH '$')) t;
  CREATE VIEW judged AS SELECT 'x' IS JSON AS is_json, any_value(id) FROM stored;
  CREATE FUNCTION merged() RETURNS void BEGIN ATOMIC MERGE INTO stored s USING base b ON s.id = b.id WHEN MATCHED THEN DELETE; END;
  CREATE COLLATION mine (provider = icu, locale = 'und', rules = '&a < g'); CREATE COLLATION ours (provider = builtin, locale = 'C.UTF-8');
  CREATE UNLOGGED SEQUENCE fast;
  GRANT MAINTAIN ON stored TO reader; ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO reader;
  CREATE SCHEMA much; CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA much; CREATE PUBLICATION of_rows FOR TABLE base WHERE (id > 1), TABLE held (a, b);
  CREATE PUBLICATION generated FOR TABLE stored WITH (publish_generated_columns = stored);`

const REFUSED: readonly (readonly [construct: string, ...objects: string[]])[] = [
  ['NULLS NOT DISTINCT (PostgreSQL 15)', 'constraint public.codes one_null', 'index public.also_one'],
  ['a view WITH (security_invoker) (PostgreSQL 15)', 'view public.own'],
  ['MERGE (PostgreSQL 15)', 'function public.merged()'],
  ['ON DELETE SET NULL or SET DEFAULT with columns (PostgreSQL 15)', 'fk constraint public.holds half'],
  ['an unlogged sequence (PostgreSQL 15)', 'sequence public.fast'],
  ['numeric with a negative scale (PostgreSQL 15)', 'table public.named'],
  ['a publication of the tables in a schema (PostgreSQL 15)', 'publication tables in schema much.of_schema much'],
  ['a publication of some rows or columns (PostgreSQL 15)', 'publication table public.of_rows base', 'publication table public.of_rows heir', 'publication table public.of_rows held'],
  ['custom rules of an ICU collation (PostgreSQL 16)', 'collation public.mine'],
  ['SQL/JSON constructors or IS JSON (PostgreSQL 16)', 'view public.judged'],
  ['a function of PostgreSQL 16 (PostgreSQL 16)', 'view public.judged'],
  ['a collation of the builtin provider (PostgreSQL 17)', 'collation public.ours'],
  ['the privilege MAINTAIN (PostgreSQL 17)', 'privileges of table stored in public'],
  ['JSON_TABLE, or another SQL/JSON function (PostgreSQL 17)', 'view public.parts'],
  ['a virtual generated column (PostgreSQL 18)', 'table public.twice'],
  ['WITHOUT OVERLAPS (PostgreSQL 18)', 'constraint public.rooms alone'],
  ['a foreign key with PERIOD (PostgreSQL 18)', 'fk constraint public.stays inside'],
  ['a constraint that is NOT ENFORCED (PostgreSQL 18)', 'check constraint public.lax cheap'],
  ['NOT NULL as a constraint of its own (PostgreSQL 18)', 'table public.heir', 'table public.solitary', 'constraint public.later some_day'],
  ['default privileges of large objects (PostgreSQL 18)', 'default privileges for large objects'],
  ['publish_generated_columns of a publication (PostgreSQL 18)', 'publication generated'],
  ['a function of PostgreSQL 18 (PostgreSQL 18)', 'table public.named'],
]

const OF_REFUSED = /mine|ours|merged|fast|heir|judged|named|own|parts|solitary|twice|rooms|lax|codes|later|also_one|holds|stays|generated|of_rows|of_schema|MAINTAIN|LARGE OBJECTS|maintain|large objects/

describe('a backup of PostgreSQL 18, and a server of PostgreSQL 14', () => {
  let bytes: Buffer
  beforeAll(async () => {
    await current.createDatabase('modern')
    await current.sql(NEW_THINGS, 'modern')
    bytes = dump(current, 'modern', 18)
    await old.createDatabase('target')
  })

  test.each(['empty', 'create'] as const)('mode %s is refused with every construct and its objects, and changes nothing', async (mode) => {
    const { message, hint } = await thrownBy(restoreInto(old, mode === 'create' ? 'made' : 'target', bytes, temporary, told, { mode, dumpMajor: 18, sourceMajor: 18 }))
    for (const [construct, ...objects] of REFUSED) expect(message).toContain(`${construct}: ${objects.join(', ')}`)
    expect(hint).toContain('Restore into PostgreSQL 18 or newer.')
    expect(await old.sql(`SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`, 'target')).toBe('0')
    expect(await old.sql(`SELECT count(*) FROM pg_database WHERE datname = 'made'`)).toBe('0')
  })

  test('with allow-older the rest is restored, and exactly these objects fail', async () => {
    await old.createDatabase('forced')
    const { errors, left } = await restoreInto(old, 'forced', bytes, temporary, told, { dumpMajor: 18, sourceMajor: 18, allowOlder: true })
    expect(await old.sql(`SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')`, 'forced')).toBe('base codes held holds later lax rooms stays stored')
    expect(left).toBe('part')
    // Those of the objects themselves, of their owners, rows and dependents.
    for (const error of errors) expect(error).toMatch(OF_REFUSED)
    expect(told.join('\n')).toContain('a virtual generated column (PostgreSQL 18): table public.twice')
  })

  test('a part without such objects is restored, with a warning', async () => {
    await old.createDatabase('part')
    expect(await restoreInto(old, 'part', bytes, temporary, told, { dumpMajor: 18, sourceMajor: 18, tables: ['held', 'stored'], noPrivileges: true })).toMatchObject({ errors: [] })
    expect(told).toContainEqual(expect.stringContaining('has PostgreSQL 14, and the backup is of PostgreSQL 18: no definition was found that the older one does not know'))
  })
})

test('names, texts and bodies of functions that only look like new constructs are restored into PostgreSQL 14', async () => {
  await current.createDatabase('harmless')
  await current.sql(
    `CREATE TABLE "WITHOUT OVERLAPS" ("NULLS NOT DISTINCT" int DEFAULT 1 CONSTRAINT here NOT NULL, "uuidv7(" text DEFAULT 'uuidv7() NOT ENFORCED IS JSON', uuidv7 int UNIQUE,
       sum int GENERATED ALWAYS AS (((1 + (2)) + "NULLS NOT DISTINCT")) STORED, id int GENERATED ALWAYS AS IDENTITY, CHECK (uuidv7 > 0));
     CREATE TABLE parts (id int GENERATED ALWAYS AS IDENTITY, at date) PARTITION BY RANGE (at); CREATE TABLE part PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
     CREATE FUNCTION casefold(text) RETURNS text LANGUAGE plpgsql AS $body$BEGIN MERGE INTO x USING y ON true WHEN MATCHED THEN DELETE; RETURN casefold('$1 ''"'); END$body$;
     CREATE VIEW folded AS SELECT public.casefold('a') AS "MERGE INTO", '{"a": 1}' AS text FROM generate_series(1, 1);
     COMMENT ON VIEW folded IS 'JSON_TABLE(), WITHOUT OVERLAPS'; GRANT SELECT ON folded TO reader`,
    'harmless',
  )
  expect(await restoreInto(old, 'harmless', dump(current, 'harmless', 18), temporary, told, { mode: 'create', dumpMajor: 18, sourceMajor: 18 })).toMatchObject({ errors: [], left: 'everything' })
  expect(told).toContainEqual(expect.stringContaining('no definition was found that the older one does not know'))
})

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { marked } from '../../../src/marks.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import type { RestoreOutcome } from '../../../src/sources/postgres/restore-outcome.ts'
import type { RestoreOptions } from '../../../src/sources/postgres/restore-plan.ts'
import { compareDatabases } from '../../support/compare-databases.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { dump, loadTenants, restoreInto, variables } from '../../support/restoring.ts'
import { thrownBy } from '../../support/thrown.ts'

const told: string[] = []
let temporary: string
beforeEach(() => {
  told.splice(0)
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-rows-'))
})
afterEach(() => {
  const left = readdirSync(temporary)
  rmSync(temporary, { recursive: true })
  expect(left).toEqual([])
})

let server: Server
let database: string
let count = 0
beforeAll(async () => {
  server = await startServer(17)
})
afterAll(() => server.stop())
beforeEach(async () => {
  database = `target${++count}`
  await server.createDatabase(database)
})

const restore = (bytes: Buffer, more: Partial<RestoreOptions>): Promise<RestoreOutcome> => restoreInto(server, database, bytes, temporary, told, more)
const sql = (text: string) => server.sql(text, database)

/** An archive of a database that is made of some SQL. */
async function archiveOf(name: string, text: string): Promise<Buffer> {
  await server.createDatabase(name)
  await server.sql(text, name)
  return dump(server, name, 17)
}

test('definitions and then rows give the whole database: views that had rows are filled, in the order of their dependencies', async () => {
  await loadTenants(server, 'shop')
  const bytes = dump(server, 'shop', 17)
  await restore(bytes, { only: 'schema' })
  const outcome = await restore(bytes, { only: 'data', disableTriggers: true })
  expect(outcome).toMatchObject({ errors: [], left: 'everything', refreshed: ['app.totals', 'app.grand'] })
  expect(outcome.restored).toBe(outcome.entries)
  expect(await compareDatabases({ server, database: 'shop' }, { server, database })).toEqual([])
  expect(await sql(`SELECT relispopulated FROM pg_class WHERE oid = 'app.empty'::regclass`)).toBe('f')
})

test('a view that cannot be filled is an error, and the rows are there', async () => {
  const bytes = await archiveOf('ratios', 'CREATE TABLE numbers (n int); INSERT INTO numbers VALUES (2); CREATE MATERIALIZED VIEW ratios AS SELECT 4 / n AS ratio FROM numbers')
  await sql(`CREATE TABLE numbers (n int); CREATE MATERIALIZED VIEW ratios AS SELECT ('hunter' || n)::int AS ratio FROM numbers WITH NO DATA`)
  const outcome = await restore(bytes, { only: 'data' })
  expect(outcome).toMatchObject({ entries: 2, restored: 1, left: 'part', refreshed: [] })
  expect(outcome.errors).toEqual(['materialized view public.ratios could not be filled: invalid input syntax for type integer'])
  expect(await sql('SELECT n FROM numbers')).toBe('2')
})

const rows = () => sql('SELECT (SELECT sum(id) FROM audited), (SELECT count(*) FROM audit)')

describe('triggers', () => {
  const tables = `CREATE TABLE audited (id int); CREATE TABLE audit (id int);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.audit VALUES (NEW.id); NEW.id := -1; RETURN NEW; END$$;`
  const trigger = 'CREATE TRIGGER noted BEFORE INSERT ON audited FOR EACH ROW EXECUTE FUNCTION note();'
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await archiveOf('audited', `${tables} INSERT INTO audited VALUES (1), (2); INSERT INTO audit VALUES (1), (2); ${trigger}`)
  })

  test('that would fire are named, and nothing is restored', async () => {
    await sql(`${tables} ${trigger}`)
    const error = await thrownBy(restore(bytes, { only: 'data' }))
    expect(error.message).toContain('triggers would fire for the restored rows: noted of public.audited')
    expect(error.hint).toContain(marked`‹disable-triggers: true›`)
    expect(await rows()).toBe('|0')
  })

  test('do not fire with disable-triggers, and each is afterwards enabled or disabled as it was', async () => {
    await sql(`${tables} ${trigger} CREATE TRIGGER off AFTER INSERT ON audited FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE audited DISABLE TRIGGER off`)
    const modes = () => sql(`SELECT string_agg(tgname || ' ' || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'audited'::regclass`)
    const before = await modes()
    expect(await restore(bytes, { only: 'data', disableTriggers: true })).toMatchObject({ errors: [], left: 'everything' })
    expect(await rows()).toBe('3|2')
    expect(await modes()).toBe(before)
  })

  test('that are disabled, or fire for something else, or of tables that are not restored, are no hindrance', async () => {
    await sql(`${tables} ${trigger} ALTER TABLE audited DISABLE TRIGGER noted; CREATE TRIGGER later AFTER UPDATE ON audited FOR EACH ROW EXECUTE FUNCTION note();
      CREATE TABLE bystander (id int); CREATE TRIGGER noted BEFORE INSERT ON bystander FOR EACH ROW EXECUTE FUNCTION note()`)
    expect(await restore(bytes, { only: 'data' })).toMatchObject({ errors: [] })
    expect(await rows()).toBe('3|2')
  })

  test('that fire even so are named with disable-triggers too', async () => {
    await sql(`${tables} ${trigger} ALTER TABLE audited ENABLE ALWAYS TRIGGER noted`)
    for (const disableTriggers of [false, true]) expect((await thrownBy(restore(bytes, { only: 'data', disableTriggers }))).message).toContain('noted of public.audited')
    expect(await rows()).toBe('|0')
  })

  test('need a superuser to be disabled, which is said before anything is restored', async () => {
    await sql(`${tables} ${trigger} CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT ALL ON ALL TABLES IN SCHEMA public TO plain`)
    const target = parseDatabaseUrl(server.url(database, 'plain', 'plain'), variables)
    const error = await thrownBy(restore(bytes, { only: 'data', disableTriggers: true, target }))
    expect(error.message).toContain('disable-triggers is not possible')
    expect(error.hint).toContain('superuser')
    expect(await rows()).toBe('|0')
  })
})

/** pg_dump orders rows by name: those of `child` come before those of `parent`, those of `a_parent` before both. */
const related = (key: string) => `CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE a_parent (id int PRIMARY KEY, up int REFERENCES a_parent);
  CREATE TABLE child (parent int CONSTRAINT of_parent REFERENCES parent ${key}, a int REFERENCES a_parent);`

const family = (names: readonly string[]) => `CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
  ${names.map((name, at) => `CREATE TABLE ${name} PARTITION OF whole FOR VALUES FROM (${at * 10}) TO (${at * 10 + 10});`).join('')} CREATE TABLE middle (whole int CONSTRAINT of_whole REFERENCES whole);`

describe('foreign keys', () => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await archiveOf('family', `${related('')} INSERT INTO parent VALUES (1); INSERT INTO a_parent VALUES (1, 2), (2, 1); INSERT INTO child VALUES (1, 2)`)
  })

  test('whose rows come later in the archive are named, and only these', async () => {
    await sql(related(''))
    const error = await thrownBy(restore(bytes, { only: 'data' }))
    expect(error.message).toBe(`only: data cannot be restored into 127.0.0.1:${server.port}/${database}: foreign keys need rows that come later in the archive: of_parent of public.child`)
    expect(await sql('SELECT count(*) FROM a_parent')).toBe('0')
    expect(await restore(bytes, { only: 'data', disableTriggers: true })).toMatchObject({ errors: [] })
    expect(await sql('SELECT * FROM child')).toBe('1|2')
  })

  test('that are checked at the end of the transaction are no hindrance', async () => {
    await sql(related('DEFERRABLE INITIALLY DEFERRED'))
    expect(await restore(bytes, { only: 'data' })).toMatchObject({ errors: [], left: 'everything' })
    expect(await sql('SELECT * FROM child')).toBe('1|2')
  })

  test('to a partitioned table are met when the rows of all its partitions come first', async () => {
    const fill = 'INSERT INTO whole VALUES (1), (11); INSERT INTO middle VALUES (1), (11)'
    const [before, after] = [['a1', 'a2'], ['a1', 'z2']] as const
    const good = await archiveOf('early', `${family(before)} ${fill}`)
    const bad = await archiveOf('late', `${family(after)} ${fill}`)
    await sql(family(before))
    expect(await restore(good, { only: 'data' })).toMatchObject({ errors: [] })
    await sql(`DROP TABLE middle, whole; ${family(after)}`)
    expect((await thrownBy(restore(bad, { only: 'data' }))).message).toContain('of_whole of public.middle')
  })
})

describe('objects of the target with the name of a table', () => {
  const eater = `CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;`
  const eats = 'FOR EACH ROW EXECUTE FUNCTION eat();'
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await archiveOf('plain_things', 'CREATE TABLE things (id int); INSERT INTO things VALUES (1), (2)')
  })

  test.each([
    ['a partitioned table', `CREATE TABLE things (id int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF things DEFAULT;
      CREATE TRIGGER eats BEFORE INSERT ON part ${eats} ALTER TABLE part ENABLE ALWAYS TRIGGER eats`],
    ['a partitioned table', `CREATE TABLE things (id int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF things DEFAULT; INSERT INTO things VALUES (1)`],
    ['a view', `CREATE TABLE other (id int); CREATE VIEW things AS SELECT id FROM other; CREATE TRIGGER eats INSTEAD OF INSERT ON things ${eats}`],
    ['a materialized view', 'CREATE MATERIALIZED VIEW things AS SELECT 1 AS id'],
    ['a foreign table', 'CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE things (id int) SERVER s'],
  ])('%s is refused by name', async (kind, text) => {
    await sql(`${eater} ${text}`)
    for (const more of [{}, { disableTriggers: true }, { tables: ['things'] }]) {
      const error = await thrownBy(restore(bytes, { only: 'data', ...more }))
      expect(error.message).toBe(`only: data cannot be restored into 127.0.0.1:${server.port}/${database}: it has something else in place of tables: public.things is ${kind}`)
    }
  })

  test('rows that pg_dump loads through the root of the partitions meet the triggers of all of them', async () => {
    const whole = 'CREATE TABLE whole (id int) PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (10);'
    await server.createDatabase('through_root')
    await server.sql(`${whole} INSERT INTO whole VALUES (1), (2)`, 'through_root')
    const [direct, through] = [dump(server, 'through_root', 17), dump(server, 'through_root', 17, '--load-via-partition-root')]
    await sql(`${eater} ${whole} CREATE TABLE high PARTITION OF whole FOR VALUES FROM (10) TO (20); CREATE TRIGGER eats BEFORE INSERT ON high ${eats}`)
    expect((await thrownBy(restore(through, { only: 'data' }))).message).toContain('triggers would fire for the restored rows: eats of public.high')
    expect(await restore(direct, { only: 'data' })).toMatchObject({ errors: [] })
    expect(await sql('SELECT count(*) FROM low')).toBe('2')
    await sql('TRUNCATE whole; ALTER TABLE whole DETACH PARTITION low')
    expect((await thrownBy(restore(through, { only: 'data' }))).message).toContain('public.low is no partition')
    await sql('DROP TABLE low, whole; DROP FUNCTION eat')
    for (const part of [{ tables: ['low'] }, { tables: ['low'], mode: 'clean' as const }]) {
      const { message, hint } = await thrownBy(restore(through, part))
      expect([message, hint]).toEqual(['rows of public.low are loaded through public.whole, which is not selected', 'Select public.whole: its partitions come with it.'])
    }
    expect(await restore(direct, { tables: ['low'] })).toMatchObject({ errors: [] })
    await sql('DROP TABLE low')
    expect(await restore(through, { tables: ['whole'] })).toMatchObject({ errors: [] })
    expect(await sql('SELECT count(*) FROM low')).toBe('2')
  })
})

test('rules meet rows that pg_dump wrote as INSERT, and only these', async () => {
  await server.createDatabase('ruled')
  await server.sql('CREATE TABLE ruled (id int); INSERT INTO ruled VALUES (1)', 'ruled')
  const inserts = dump(server, 'ruled', 17, '--inserts')
  await sql('CREATE TABLE ruled (id int); CREATE RULE nothing AS ON INSERT TO ruled DO INSTEAD NOTHING')
  expect((await thrownBy(restore(inserts, { only: 'data' }))).message).toContain('would fire for the restored rows: rule nothing of public.ruled')
  expect(await restore(dump(server, 'ruled', 17), { only: 'data' })).toMatchObject({ errors: [] })
  await sql('TRUNCATE ruled')
  expect(await restore(inserts, { only: 'data', disableTriggers: true })).toMatchObject({ errors: [] })
  expect(await sql('SELECT id FROM ruled')).toBe('1')
})

test('check constraints apply to rows that are loaded alone, also those that are not valid; everything at once restores them', async () => {
  const bytes = await archiveOf('unchecked', 'CREATE TABLE old (n int); INSERT INTO old VALUES (-1); ALTER TABLE old ADD CONSTRAINT positive CHECK (n > 0) NOT VALID')
  await restore(bytes, { only: 'schema' })
  const outcome = await restore(bytes, { only: 'data', disableTriggers: true })
  expect(outcome).toMatchObject({ left: 'unchanged' })
  expect(outcome.errors.join()).toContain('violates check constraint "positive"')
  await sql('DROP TABLE old')
  expect(await restore(bytes, {})).toMatchObject({ errors: [], left: 'everything' })
  expect(await sql('SELECT n FROM old')).toBe('-1')
})

test('only the tables that are restored have to be without rows', async () => {
  const bytes = await archiveOf('three', 'CREATE TABLE one AS SELECT 1 AS id; CREATE TABLE "two, x" AS SELECT 2 AS id; CREATE TABLE three AS SELECT 3 AS id')
  await sql('CREATE TABLE one (id int); CREATE TABLE "two, x" (id int); CREATE TABLE three AS SELECT 0 AS id')
  expect((await thrownBy(restore(bytes, { only: 'data' }))).message).toContain('public.three has rows')
  expect(await restore(bytes, { only: 'data', tables: ['one', 'two, x'] })).toMatchObject({ errors: [], entries: 2 })
  expect(await sql('SELECT (SELECT id FROM one), (SELECT id FROM "two, x"), (SELECT id FROM three)')).toBe('1|2|0')
  expect((await thrownBy(restore(bytes, { only: 'data', tables: ['two, x', 'three'] }))).message).toContain('public."two, x", public.three have rows')
})

test('disable-triggers is for rows alone', async () => {
  expect((await thrownBy(restore(Buffer.from(''), { disableTriggers: true }))).message).toBe('disable-triggers is for only: data')
})

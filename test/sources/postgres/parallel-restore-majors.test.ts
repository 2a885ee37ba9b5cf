import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { clientEnvironment, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { compareDatabases } from '../../support/compare-databases.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { dump, inBlocks, loadTenants, restoreInto, variables } from '../../support/restoring.ts'
import { neverRead, stagingOfEachTest } from '../../support/staging-folder.ts'

const sqlOf = (name: string): string => readFileSync(path.join(import.meta.dirname, `../../support/dataset/${name}.sql`), 'utf8')
const staging = stagingOfEachTest()

/** The programs of the server's major or the next newer one, of those that tests have. */
describe.each([[14, 15], [15, 15], [16, 17], [17, 17], [18, 18]] as const)('PostgreSQL %i', (major, client) => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(major, { settings: { wal_level: 'logical' } })
    await server.sql('CREATE ROLE kinds_owner; CREATE ROLE kinds_reader')
    await server.createDatabase('kinds')
    await server.sql(sqlOf('kinds'), 'kinds')
    await server.createDatabase('rows')
    await server.sql(sqlOf('loading'), 'rows')
    await loadTenants(server, 'tenants')
  })
  afterAll(() => server.stop())

  /** All that pg_dump writes of a database, rows and statistics included, in its order. */
  const textOf = (database: string): string[] => {
    const env = clientEnvironment(parseDatabaseUrl(server.url(database)), variables)
    const text = execFileSync(path.join(clientDirectory(client), 'pg_dump'), client === 18 ? ['--statistics'] : [], { env, maxBuffer: 1e9, encoding: 'latin1' })
    return text.split('\n').filter((line) => !/^\\(un)?restrict /.test(line))
  }

  test.each([
    ['kinds', [], 3], ['tenants', [], 2], ['rows', [], 4], ['rows', ['--load-via-partition-root'], 3], ['rows', ['--inserts'], 2], ['rows', ['--rows-per-insert=7', '--large-objects'], 2],
  ] as const)('%s, dumped with %j, is the same database with %i jobs as with one', async (database, given, jobs) => {
    const options = given.map((option) => (option === '--large-objects' && client < 16 ? '--blobs' : option))
    const bytes = dump(server, database, client, ...options, ...(client === 18 ? ['--statistics'] : []))
    const [single, parallel] = [`${database}_single`, `${database}_parallel`]
    for (const name of [single, parallel]) await server.sql(`DROP DATABASE IF EXISTS ${name}`)
    const one = await restoreInto(server, single, bytes, staging.temporary, staging.told, { mode: 'create' })
    const several = await restoreInto(server, parallel, bytes, staging.temporary, staging.told, { mode: 'create', jobs, blocks: inBlocks(bytes), archive: neverRead })
    expect(several).toMatchObject({ errors: [], left: 'everything', entries: one.entries, restored: one.restored })
    expect(textOf(parallel)).toEqual(textOf(single))
    expect(await compareDatabases({ server, database }, { server, database: parallel })).toEqual([])
  })

  test('of the archive, the table of contents alone is staged, for us alone; each block is read once', async () => {
    const bytes = dump(server, 'tenants', client)
    let most = 0
    const read: { start: number; end: number }[] = []
    const blocks = inBlocks(bytes, (part) => {
      read.push(part)
      for (const name of readdirSync(staging.temporary, { recursive: true, encoding: 'utf8' })) {
        const file = statSync(path.join(staging.temporary, name))
        expect(file.mode & 0o077).toBe(0)
        if (file.isFile()) most = Math.max(most, file.size)
      }
    })
    await server.createDatabase('staged')
    await restoreInto(server, 'staged', bytes, staging.temporary, staging.told, { jobs: 2, blocks, archive: neverRead })
    expect(most).toBe(blocks.head)
    const data = read.filter(({ start }) => start > 0)
    expect(new Set(data.map(({ start }) => start)).size).toBe(data.length)
    expect(data.length).toBe(blocks.sizes.size)
  })
})

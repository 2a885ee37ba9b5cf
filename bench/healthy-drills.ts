// npm run bench:drills -- [--rounds 20] [--write]: backs healthy databases up and drills each backup, as often as asked (20), and prints how many were found
// equal: on each major the shop, a database with every kind of object, and one of several owners; and PostGIS where Debian's packages of it are installed.
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Connection, onDatabase } from '../src/sources/postgres/connection.ts'
import { type Cluster, startCluster } from '../src/sources/postgres/drill/cluster.ts'
import { localPrograms } from '../src/sources/postgres/drill/server-programs.ts'
import { change, withoutTransaction } from '../src/sources/postgres/query.ts'
import { clientDirectoryFor, type Major } from '../test/support/client-programs.ts'
import { loadDataset } from '../test/support/dataset.ts'
import { dispatched } from '../test/support/dispatched.ts'
import { type Server, startServer } from '../test/support/postgres-server.ts'
import { bench } from './harness.ts'

const MAJORS: readonly Major[] = [14, 15, 16, 17, 18]
const sqlOf = (name: string): string => readFileSync(path.join(import.meta.dirname, `../test/support/dataset/${name}.sql`), 'utf8')

interface Healthy {
  url: string
  /** Another server, with what the database needs. */
  scratch: string
  variables: Record<string, string>
  stop: () => Promise<void>
}

const variablesFor = (programs: string): Record<string, string> => ({ PATH: [programs, process.env['PATH']].join(path.delimiter), HOME: process.env['HOME'] ?? '/' })

const LOGICAL = { settings: { wal_level: 'logical' } }

/** A database on a server of its own, and another server to restore it into. */
async function healthy(major: Major, database: string, load: (server: Server) => Promise<unknown>): Promise<Healthy> {
  const [server, scratch] = [await startServer(major, LOGICAL), await startServer(major)]
  await server.createDatabase(database)
  await load(server)
  const stop = async (): Promise<void> => {
    await server.stop()
    await scratch.stop()
  }
  return { url: server.url(database), scratch: scratch.url('postgres'), variables: variablesFor(clientDirectoryFor(major)), stop }
}

const shop = (major: Major): Promise<Healthy> => healthy(major, 'shop', (server) => loadDataset(server, 'shop', { megabytes: 50 }))

const everyKind = (major: Major): Promise<Healthy> => healthy(major, 'kinds', async (server) => {
  await server.sql('CREATE ROLE kinds_owner; CREATE ROLE kinds_reader')
  await server.sql(sqlOf('kinds'), 'kinds')
})

const severalOwners = (major: Major): Promise<Healthy> => healthy(major, 'owners', async (server) => {
  await server.sql(sqlOf('owners-roles'))
  await server.sql(sqlOf('owners'), 'owners')
})

const POSTGIS = `
  CREATE EXTENSION postgis; CREATE EXTENSION postgis_topology;
  CREATE TABLE places AS SELECT g AS id, ST_SetSRID(ST_MakePoint(g % 360 - 180, g % 180 - 90), 4326)::geometry(Point, 4326) AS at,
    ST_Buffer(ST_MakePoint(g, g)::geometry, 1) AS area FROM generate_series(1, 20000) g;
  ALTER TABLE places ADD PRIMARY KEY (id); CREATE INDEX ON places USING gist (at);
  INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text) VALUES (990001, 'own', 990001, 'own', '+proj=longlat');
  SELECT topology.CreateTopology('topology_of_places', 4326)`

/** On a server of Debian's packages; undefined if they are not installed: apt-get install postgresql-15-postgis-3. */
async function postgis(folder: string): Promise<Healthy | undefined> {
  const root = '/usr/lib/postgresql'
  const version = (existsSync(root) ? readdirSync(root) : []).find((one) =>
    existsSync(`/usr/share/postgresql/${one}/extension/postgis.control`) && existsSync(path.join(root, one, 'lib/postgis-3.so')))
  if (version === undefined) return undefined
  const directory = path.join(root, version, 'bin')
  const variables = variablesFor(directory)
  const start = (name: string): Promise<Cluster> => startCluster({
    programs: localPrograms({ major: Number(version), directory }, variables), temporary: path.join(folder, name), space: 1, superuser: 'postgres', locks: 100,
    variables, signal: new AbortController().signal,
  })
  const [cluster, scratch] = [await start('postgis'), await start('scratch')]
  const client = { major: Number(version), directory }
  const on = (database: string): { client: typeof client; connection: Connection; variables: typeof variables } =>
    ({ client, connection: onDatabase(cluster.connection, database), variables })
  await withoutTransaction('CREATE DATABASE gis', on('postgres'))
  await change(['SET LOCAL search_path = public', ...POSTGIS.split(';').map((one) => one.trim())], on('gis'))
  const stop = async (): Promise<void> => {
    await cluster.close()
    await scratch.close()
  }
  return { url: url(cluster, 'gis'), scratch: url(scratch, 'postgres'), variables, stop }
}

function url({ connection: { environment } }: Cluster, database: string): string {
  const { PGHOST: host = '', PGPASSWORD: password = '' } = environment
  return `postgres://postgres:${password}@/${database}?host=${encodeURIComponent(host)}&port=5432`
}

await bench({ rounds: 20 }, ({ rounds, work, identity, table }) => table('drills', async (add) => {
  chmodSync(work, 0o755) // Root's scratch server runs as another user.
  const kinds: [name: string, open: (major: Major) => Promise<Healthy>][] = [['the shop, 50 MB', shop], ['one of every kind of object', everyKind], ['several owners', severalOwners]]
  for (const [name, open] of kinds) for (const major of MAJORS) await drilled(name, `PostgreSQL ${major}`, await open(major))
  const gis = await postgis(work)
  if (gis) await drilled('PostGIS', 'PostgreSQL of Debian', gis)
  else console.log('PostGIS: not drilled, as Debian\'s package postgresql-15-postgis-3, or that of another major, is not installed with its library')

  async function drilled(name: string, server: string, { url, scratch, variables, stop }: Healthy): Promise<void> {
    let [equal, seconds] = [0, 0]
    try {
      for (let round = 1; round <= rounds; round++) {
        const given = { destination: `file:${work}/store`, 'encryption-key': identity, set: `${name} ${server}`.replaceAll(/[^A-Za-z0-9]+/g, '-') }
        const environment = { variables, temporary: path.join(work, 'temporary') }
        await dispatched('backup', { ...given, 'database-url': url, verify: 'none' }, new Date(), environment)
        const { result } = await dispatched('verify', { ...given, level: 'drill', 'scratch-url': scratch }, new Date(), environment)
        seconds += result.seconds
        if (result.result === 'verified') equal++
        else console.error(`${name}, ${server}: ${result.result}: ${result.problems.join('; ')}`)
      }
    } finally {
      await stop()
    }
    add(name, server, { seconds: seconds / rounds, drills: rounds, equal })
    if (equal < rounds) process.exitCode = 1
  }
}))

// npm run bench:drills -- [rounds] [name …]: backs healthy databases up and drills each backup, as often as asked (20), and prints how many were found
// equal: on each major the shop, a database with every kind of object, and one of several owners; and PostGIS where Debian's packages of it are installed.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { type Connection, onDatabase } from '../src/sources/postgres/connection.ts'
import { type Cluster, startCluster } from '../src/sources/postgres/drill/cluster.ts'
import { localPrograms } from '../src/sources/postgres/drill/server-programs.ts'
import { change, withoutTransaction } from '../src/sources/postgres/query.ts'
import { clientDirectoryFor, type Major } from '../test/support/client-programs.ts'
import { loadDataset } from '../test/support/dataset.ts'
import { dispatched } from '../test/support/dispatched.ts'
import { type Server, startServer } from '../test/support/postgres-server.ts'

const MAJORS: readonly Major[] = [14, 15, 16, 17, 18]
const sqlOf = (name: string): string => readFileSync(path.join(import.meta.dirname, `../test/support/dataset/${name}.sql`), 'utf8')

interface Healthy {
  name: string
  url: string
  /** Another server, with what the database needs. */
  scratch: string
  variables: Record<string, string>
  stop: () => Promise<void>
}

const variablesFor = (programs: string): Record<string, string> => ({ PATH: [programs, process.env['PATH']].join(path.delimiter), HOME: process.env['HOME'] ?? '/' })

const LOGICAL = { settings: { wal_level: 'logical' } }

/** A database on a server of its own, and another server to restore it into. */
async function healthy(name: string, major: Major, database: string, load: (server: Server) => Promise<unknown>): Promise<Healthy> {
  const [server, scratch] = [await startServer(major, LOGICAL), await startServer(major)]
  await server.createDatabase(database)
  await load(server)
  const stop = async (): Promise<void> => {
    await server.stop()
    await scratch.stop()
  }
  return { name, url: server.url(database), scratch: scratch.url('postgres'), variables: variablesFor(clientDirectoryFor(major)), stop }
}

const shop = (major: Major): Promise<Healthy> => healthy(`shop${major}`, major, 'shop', (server) => loadDataset(server, 'shop', { megabytes: 50 }))

const everyKind = (major: Major): Promise<Healthy> => healthy(`kinds${major}`, major, 'kinds', async (server) => {
  await server.sql('CREATE ROLE kinds_owner; CREATE ROLE kinds_reader')
  await server.sql(sqlOf('kinds'), 'kinds')
})

const severalOwners = (major: Major): Promise<Healthy> => healthy(`owners${major}`, major, 'owners', async (server) => {
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
async function postgis(): Promise<Healthy | undefined> {
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
  return { name: 'postgis', url: url(cluster, 'gis'), scratch: url(scratch, 'postgres'), variables, stop }
}

function url({ connection: { environment } }: Cluster, database: string): string {
  const { PGHOST: host = '', PGPASSWORD: password = '' } = environment
  return `postgres://postgres:${password}@/${database}?host=${encodeURIComponent(host)}&port=5432`
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-drills-'))
chmodSync(folder, 0o755) // Root's scratch server runs as another user.
const { identity } = await newIdentity()
const [rounds = '20', ...names] = process.argv.slice(2)
const all: Record<string, () => Promise<Healthy | undefined>> = {
  ...Object.fromEntries(MAJORS.flatMap((major) => Object.entries({
    [`shop${major}`]: () => shop(major), [`kinds${major}`]: () => everyKind(major), [`owners${major}`]: () => severalOwners(major),
  }))),
  postgis,
}
let wrong = 0
try {
  for (const [name, open] of Object.entries(all)) {
    if (names.length > 0 && !names.includes(name)) continue
    const healthy = await open()
    if (healthy) wrong += await drilled(healthy)
    else console.log(`${name}: not drilled, as Debian's package postgresql-15-postgis-3, or that of another major, is not installed with its library`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = wrong === 0 ? 0 : 1

/** The number of drills that found something. */
async function drilled({ name, url, scratch, variables, stop }: Healthy): Promise<number> {
  const found: string[] = []
  const seconds: number[] = []
  try {
    for (let round = 0; round < Number(rounds); round++) {
      const given = { destination: `file:${folder}/store`, 'encryption-key': identity, set: name }
      const environment = { variables, temporary: path.join(folder, 'temporary') }
      await dispatched('backup', { ...given, 'database-url': url, verify: 'none' }, new Date(), environment)
      const { result } = await dispatched('verify', { ...given, level: 'drill', 'scratch-url': scratch }, new Date(), environment)
      seconds.push(result.seconds)
      if (result.result !== 'verified') found.push(`${result.result}: ${result.problems.join('; ')}`)
    }
  } finally {
    await stop()
  }
  console.log(`${name}: ${seconds.length - found.length} of ${rounds} drills found everything equal, ${(seconds.reduce((sum, one) => sum + one, 0) / seconds.length).toFixed(1)} s each`)
  for (const one of new Set(found)) console.log(`  ${one}`)
  return found.length
}

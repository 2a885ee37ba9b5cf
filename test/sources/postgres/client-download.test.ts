import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as toolkit from '@actions/tool-cache'
import { LifeboatError } from '../../../src/error.ts'
import { listArchive } from '../../../src/sources/postgres/archive.ts'
import { programOf } from '../../../src/sources/postgres/clients.ts'
import { semanticVersion } from '../../../src/sources/postgres/client-download/kept-programs.ts'
import { POSTGRESQL_ARCHIVE_KEY } from '../../../src/sources/postgres/client-download/archive-key.ts'
import { officialImage } from '../../../src/sources/postgres/client-download/official-images.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { PostgresSource } from '../../../src/sources/postgres/source.ts'
import { type AptRepository, makePackage, makeRealClient, makeTalkingClient, startRepository } from '../../support/apt-repository.ts'
import { makeMachine, type Machine } from '../../support/client-machine.ts'
import { clientDirectory, startServer } from '../../support/postgres-server.ts'
import { thrownBy } from '../../support/thrown.ts'

let packages: string
let distribution: AptRepository
let project: AptRepository
let machine: Machine
let client15: string

beforeAll(async () => {
  packages = mkdtempSync(path.join(tmpdir(), 'lifeboat-packages-'))
  distribution = await startRepository()
  project = await startRepository()
  client15 = await makeTalkingClient(packages, 15)
  await project.publish('bookworm-pgdg', [...(await makeRealClient(packages, 17)), await makeTalkingClient(packages, 16)])
})
afterAll(async () => {
  await distribution.stop()
  await project.stop()
  rmSync(packages, { recursive: true })
})

beforeEach(async () => {
  distribution.reset()
  project.reset()
  await distribution.publish('bookworm', [client15])
  machine = makeMachine(distribution, project)
})
afterEach(() => machine.remove())

/** A folder of programs of the system, to be a whole PATH. */
function pathWith(programs: string[], scripts: Record<string, string> = {}): string {
  const folder = mkdtempSync(path.join(machine.folder, 'bin-'))
  for (const program of programs) symlinkSync(execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim(), path.join(folder, program))
  for (const [name, text] of Object.entries(scripts)) writeFileSync(path.join(folder, name), text, { mode: 0o755 })
  return folder
}

test('a machine that has the programs of 15 alone dumps a server of 17 with programs it fetched', async () => {
  const server = await startServer(17)
  try {
    await server.sql('CREATE TABLE people AS SELECT g AS id FROM generate_series(1, 1000) g')
    const { variables } = machine
    const connection = parseDatabaseUrl(server.url(), variables)
    const installed = { major: 15, directory: clientDirectory(15) }
    const open = (clients: (typeof installed)[]) =>
      new PostgresSource({
        name: 'app', connection, programs: () => ({ clients }), dumpArguments: [], lockTimeout: 60_000, signal: new AbortController().signal, variables,
        report: { info: () => undefined, warning: (message) => void machine.warnings.push(message), progress: () => undefined, mask: () => undefined },
      })
    expect((await thrownBy(open([installed]).open())).message).toContain('the server is PostgreSQL 17, and no pg_dump here is that new')

    const client = await machine.provide(17)
    const source = open([client, installed])
    await source.open()
    const dump: Buffer[] = []
    for await (const stream of source.streams()) {
      for await (const bytes of stream.bytes) if (stream.format === 'pg_dump-custom') dump.push(Buffer.from(bytes))
    }
    await source.close()
    expect(source.facts()).toMatchObject({ dumpVersion: expect.stringMatching(/^17\./) })
    const listing = await listArchive((async function* () { yield* dump })(), { client, variables: { PATH: process.env.PATH ?? '' } })
    expect(listing).toMatchObject({ dumpMajor: 17, entries: expect.arrayContaining([expect.stringContaining('TABLE DATA public people')]) })
    expect(machine.warnings).toEqual([])
  } finally {
    await server.stop()
  }
})

test('the programs run with the libpq that was fetched with them', async () => {
  const { directory } = await machine.provide(17)
  const told = execFileSync('sh', ['-c', 'LD_DEBUG=libs exec "$0" --version 2>&1', path.join(directory, 'psql')], { encoding: 'utf8' })
  expect(/calling init: (.+libpq\.so\.5)$/m.exec(told)?.[1]).toContain(machine.toolCache)
})

test('fetched programs are kept, and the next run asks no archive', async () => {
  const first = await machine.provide(17)
  expect(first.directory).toBe(path.join(machine.toolCache, 'lifeboat-postgresql-client/17.5.0-d1', `debian-12-${architecture()}`, 'bin'))
  expect(readdirSync(machine.temporary)).toEqual([])
  distribution.requests()
  project.requests()
  expect(await machine.provide(17)).toEqual(first)
  expect([...distribution.requests(), ...project.requests()]).toEqual([])
})

test('programs kept for a month are fetched again, and used on if that does not work', async () => {
  const first = await machine.provide(17)
  const marker = path.join(first.directory, '../../', `debian-12-${architecture()}.complete`)
  const long = new Date(Date.now() - 31 * 24 * 3600 * 1000)
  utimesSync(marker, long, long)
  project.requests()
  project.tamper('.deb', () => Buffer.from('not a package'))
  expect(await machine.provide(17)).toEqual(first)
  expect(machine.warnings.join()).toContain('the kept PostgreSQL 17 client programs are more than a month old, and newer ones are not available')
  project.tamper('.deb', (bytes) => bytes)
  expect(await machine.provide(17)).toEqual(first)
  expect(project.requests()).not.toEqual([])
  expect(await machine.provide(17)).toEqual(first)
  expect(project.requests()).toEqual([])
})

test("the distribution's own archive comes first, and the project's is asked only for what that lacks", async () => {
  expect((await machine.provide(15)).major).toBe(15)
  expect(project.requests()).toEqual([])
  expect((await machine.provide(16)).major).toBe(16)
  expect((await machine.provide('newest')).major).toBe(16)
})

test('newest is the newest the distribution has', async () => {
  expect((await machine.provide('newest')).major).toBe(15)
})

test('a library that the machine lacks comes along, and what it has is not fetched', async () => {
  const library = await makePackage(packages, { name: 'liblifeboat-test1', version: '1-1', scripts: { 'usr/lib/x86_64-linux-gnu/liblifeboat-test.so.1': '' } })
  const libc = await makePackage(packages, { name: 'libc6', version: '99-1' })
  await distribution.publish('bookworm', [library, libc, await makeTalkingClient(packages, 14, { depends: 'liblifeboat-test1, libc6 (>= 2.14), postgresql-client-common (>= 182~)' })])
  await machine.provide(14)
  const fetched = distribution.requests().filter((name) => name.endsWith('.deb')).map((name) => path.basename(name).split('_')[0])
  expect(fetched).toHaveLength(2)
  expect(new Set(fetched)).toEqual(new Set(['liblifeboat-test1', 'postgresql-client-14']))
})

test('a version that no archive has is an error that names those there are', async () => {
  const error = await thrownBy(machine.provide(19))
  expect(error.message).toBe(
    `the PostgreSQL 19 client programs are not installed and cannot be fetched: the distribution's archive has PostgreSQL 15; with ${new URL(project.uri).host} it has PostgreSQL 17, 16, 15`,
  )
  expect(error.hint).toContain('sudo apt-get install -y postgresql-client-19')
})

test.each(['InRelease', 'Packages.xz', '.deb'])('%s with other bytes than were signed is refused, and nothing is kept', async (ending) => {
  project.tamper(ending, (bytes) => Buffer.from(bytes.map((byte, at) => (at === 100 ? byte ^ 1 : byte))))
  const error = await thrownBy(machine.provide(17))
  expect(error.message).toMatch({ InRelease: /BADSIG|not signed|invalid signature/i, 'Packages.xz': /Hash Sum mismatch|unexpected size/i, '.deb': /Hash Sum mismatch/i }[ending]!)
  expect(() => readdirSync(machine.toolCache)).toThrow('ENOENT')
})

test('an archive signed with another key is refused', async () => {
  const error = await thrownBy(machine.provide(17, { places: { project: { uri: project.uri, key: POSTGRESQL_ARCHIVE_KEY } } }))
  expect(error.message).toMatch(/NO_PUBKEY|not signed|Missing key/)
})

test('an archive that cannot be reached is an error that says so', async () => {
  const gone = await startRepository()
  await gone.stop()
  const error = await thrownBy(machine.provide(17, { places: { project: gone } }))
  expect(error.message).toMatch(/cannot be fetched: 127\.0\.0\.1:\d+ could not be reached \(.*(Could not connect|Connection refused).*\); the distribution's archive has PostgreSQL 15$/)
})

test('an archive that never answers ends at the time limit', async () => {
  project.tamper('Release', 'silence')
  const error = await thrownBy(machine.provide(17, { places: { timeLimit: 2000 } }))
  expect(error.message).toContain('no end after 2 s')
})

test('an interrupt stops the fetching, and leaves nothing', async () => {
  project.tamper('Release', 'silence')
  const controller = new AbortController()
  const providing = machine.provide(17, { signal: controller.signal })
  while (!project.requests().some((name) => name.endsWith('InRelease'))) await new Promise((resolve) => setTimeout(resolve, 20))
  controller.abort(new LifeboatError('interrupted'))
  expect((await thrownBy(providing)).message).toBe('interrupted')
  expect(readdirSync(machine.temporary)).toEqual([])
})

test('a package for a newer libc is refused, with or without that libc in the archive', async () => {
  const client = await makeTalkingClient(packages, 18, { depends: 'libc6 (>= 98)' })
  await distribution.publish('bookworm', [client])
  expect((await thrownBy(machine.provide(18))).message).toMatch(/has PostgreSQL 18, but postgresql-client-18 : Depends: libc6 \(>= 98\) but \S+ is to be installed/)
  await distribution.publish('bookworm', [client, await makePackage(packages, { name: 'libc6', version: '99-1' })])
  expect((await thrownBy(machine.provide(18))).message).toMatch(/has PostgreSQL 18, but postgresql-client-18 : Depends: libc6 \(>= 98\) but \S+ is to be installed/)
})

test('programs that do not run here, or are of another major, are refused', async () => {
  await distribution.publish('bookworm', [await makeTalkingClient(packages, 13, { says: '12.1' })])
  expect((await thrownBy(machine.provide(13))).message).toContain('the pg_dump that was fetched is not of PostgreSQL 13: it says "pg_dump (PostgreSQL) 12.1"')
  const broken = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql'].map((name) => [`usr/lib/postgresql/12/bin/${name}`, '#!/bin/sh\necho "GLIBC_2.99 not found" >&2\nexit 1\n'])
  await distribution.publish('bookworm', [await makePackage(packages, { name: 'postgresql-client-12', version: '12.1-1', scripts: Object.fromEntries(broken) })])
  expect((await thrownBy(machine.provide(12))).message).toContain('the pg_dump of PostgreSQL 12 that was fetched does not run here: GLIBC_2.99 not found')
  expect(() => readdirSync(machine.toolCache)).toThrow('ENOENT')
})

test('two jobs that fetch at once on one machine do each other no harm', async () => {
  const jobs = ['a', 'b', 'c'].map((name) => machine.provide(16, { temporary: path.join(machine.folder, name) }))
  const clients = await Promise.all(jobs)
  expect(new Set(clients.map(({ directory }) => directory)).size).toBe(1)
  const kept = path.join(machine.toolCache, 'lifeboat-postgresql-client')
  expect(readdirSync(kept)).toEqual(['16.1.0-d1'])
  expect(machine.warnings).toEqual([])
})

test('a tool cache that cannot be written is a warning, and the programs are used from the staging folder', async () => {
  writeFileSync(machine.toolCache, 'no folder')
  const { directory } = await machine.provide(16)
  expect(directory.startsWith(machine.temporary)).toBe(true)
  expect(execFileSync(path.join(directory, 'pg_dump'), { encoding: 'utf8' })).toContain('16.1')
  expect(machine.warnings.join()).toContain(`cannot keep the client programs in ${machine.toolCache}`)
})

test('without apt and docker the error says so', async () => {
  const error = await thrownBy(machine.provide(17, { variables: { ...machine.variables, PATH: pathWith(['sh']) } }))
  expect(error.message).toBe('the PostgreSQL 17 client programs are not installed, and neither apt nor docker is here to fetch them with')
})

test('without apt the programs run in the official image, the password in no argument', async () => {
  const log = path.join(machine.folder, 'docker.log')
  const docker = `#!/bin/sh
echo "$@" >> "${log}"
[ "$1" != image ] || echo '["elsewhere@sha256:${'1'.repeat(64)}","${officialImage(17).replace(':17', '')}"] sha256:${'2'.repeat(64)}'
[ "$1" = run ] || exit 0
echo "PGPASSWORD=$PGPASSWORD" >> "${log}"
while [ "$1" != ${officialImage(17)} ]; do shift; done
shift
program=$1
shift
exec ${clientDirectory(17)}/$program "$@"
`
  const PATH = pathWith(['sh', 'env', 'sed', 'id'], { docker })
  const client = await machine.provide(17, { variables: { ...machine.variables, PATH, DOCKER_HOST: "unix:///it's here" } })
  expect(client.major).toBe(17)
  const certificate = path.join(machine.folder, 'root.crt')
  writeFileSync(certificate, '')
  const printed = execFileSync(programOf(client, 'psql'), ['--version'], { env: { PATH, PGPASSWORD: 'geheim', PGHOST: 'db', PGSSLROOTCERT: certificate }, encoding: 'utf8' })
  expect(printed).toMatch(/^psql \(PostgreSQL\) 17/)
  const told = readFileSync(log, 'utf8').trim().split('\n')
  expect(told[0]).toBe(`pull --quiet ${officialImage(17)}`)
  expect(told.at(-1)).toBe('PGPASSWORD=geheim')
  const last = told.at(-2)!
  expect(last).toMatch(/^run --pull never --rm --interactive --init --network host --log-driver none --user \d+:\d+ .*postgres:17@sha256:[0-9a-f]{64} psql --version$/)
  for (const part of ['--env PGPASSWORD ', '--env PGHOST ', `--volume ${certificate}:${certificate}`, `--volume ${machine.temporary}:${machine.temporary}`]) expect(last).toContain(part)
  expect(last).not.toContain('geheim')
})

test('an image that docker cannot fetch is an error in its words', async () => {
  const PATH = pathWith(['sh'], { docker: '#!/bin/sh\necho "Cannot connect to the Docker daemon" >&2\nexit 1\n' })
  const error = await thrownBy(machine.provide(17, { variables: { ...machine.variables, PATH } }))
  expect(error.message).toBe(`docker cannot fetch the image ${officialImage(17)}: Cannot connect to the Docker daemon`)
  expect(error.hint).toBe('Or put an image there yourself, with docker pull postgres:17 or docker load.')
})

test('the toolkit finds in the tool cache what was kept there, by exact version', async () => {
  const { directory } = await machine.provide(16)
  process.env.RUNNER_TOOL_CACHE = machine.toolCache
  const system = `debian-12-${architecture()}`
  expect(toolkit.findAllVersions('lifeboat-postgresql-client', system)).toEqual(['16.1.0-d1'])
  expect(path.join(toolkit.find('lifeboat-postgresql-client', '16.1.0-d1', system), 'bin')).toBe(directory)
  for (const version of ['17.6-1.pgdg120+1', '18~beta1-1', '15.20-0+deb12u1', '14-1']) expect(toolkit.isExplicitVersion(semanticVersion(version))).toBe(true)
  expect(semanticVersion('17.6-1.pgdg120+1')).toBe('17.6.0-d1-pgdg120-1')
})

test("the pinned key is the PostgreSQL project's", () => {
  const home = path.join(machine.folder, 'gpg')
  mkdirSync(home, { mode: 0o700 })
  const told = execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', '--with-colons', '--show-keys'], { input: POSTGRESQL_ARCHIVE_KEY, encoding: 'utf8' })
  expect(told.match(/^fpr:.*$/gm)).toEqual(['fpr:::::::::B97B0AFCAA1A47F044F244A07FCC7D46ACCC4CF8:'])
})

test.each<[string, string, string]>([
  ['the pinned image', officialImage(17), officialImage(17)],
  ['the one that its tag names, by its digest', 'postgres:17', `postgres@sha256:${'3'.repeat(64)}`],
])('where none can be fetched, an image that is here is used: %s', async (_, here, used) => {
  const docker = `#!/bin/sh
[ "$1" != pull ] || exit 1
if [ "$1" = image ]; then
  while [ $# -gt 1 ]; do shift; done
  [ "$1" = ${here} ] && echo '["postgres@sha256:${'3'.repeat(64)}"] sha256:${'2'.repeat(64)}'
  exit
fi
while [ "$1" != ${used} ]; do shift; done
echo "$2 (PostgreSQL) 17.1"
`
  const said: string[] = []
  const report = { info: (text: string) => void said.push(text), warning: () => undefined, progress: () => undefined, mask: () => undefined }
  const PATH = pathWith(['sh', 'env', 'sed', 'id'], { docker })
  expect((await machine.provide(17, { report, variables: { ...machine.variables, PATH } })).major).toBe(17)
  expect(said).toEqual([here === used ? `using the image ${here}` : `using the image ${here}, which is ${used}`])
})

function architecture(): string {
  return execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim()
}

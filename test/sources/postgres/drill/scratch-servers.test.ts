import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../../../src/repository/keys.ts'
import { newRunId } from '../../../../src/process/staging.ts'
import { onDatabase } from '../../../../src/sources/postgres/connection.ts'
import { type Cluster, startCluster } from '../../../../src/sources/postgres/drill/cluster.ts'
import { pullImage } from '../../../../src/sources/postgres/client-download/image.ts'
import { imagePrograms } from '../../../../src/sources/postgres/drill/server-image.ts'
import { localPrograms, type ServerPrograms } from '../../../../src/sources/postgres/drill/server-programs.ts'
import { query } from '../../../../src/sources/postgres/query.ts'
import { type AptRepository, makeRealServer, makeTalkingClient, startRepository } from '../../../support/apt-repository.ts'
import { makeMachine } from '../../../support/client-machine.ts'
import { DockerDaemon } from '../../../support/docker.ts'
import { dispatched } from '../../../support/dispatched.ts'
import { clientDirectory, startServer } from '../../../support/postgres-server.ts'
import { thrownBy } from '../../../support/thrown.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-scratch-'))
  chmodSync(folder, 0o755) // Root's scratch server runs as another user, who must get to its folder.
})
afterEach(() => rmSync(folder, { recursive: true }))

const temporary = (): string => path.join(folder, 'lifeboat-temporary')
const variables = { PATH: process.env.PATH ?? '' }
const signal = new AbortController().signal
const report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined }

const start = (programs: ServerPrograms, more: Partial<Parameters<typeof startCluster>[0]> = {}): Promise<Cluster> =>
  startCluster({ programs, temporary: temporary(), space: 1, superuser: 'the boss', locks: 100, variables, signal, ...more })

/** The answer of a scratch server to a query. */
async function ask({ connection }: Cluster, sql: string): Promise<string> {
  const context = { connection: onDatabase(connection, 'postgres'), client: { major: 17, directory: clientDirectory(17) }, variables, signal }
  return (await query([sql], context)).toString().trim()
}

test('the programs of a server are fetched, checked, kept, and run as an ordinary user', async () => {
  const [packages, distribution, project] = [mkdtempSync(path.join(tmpdir(), 'lifeboat-packages-')), await startRepository(), await startRepository()]
  const machine = makeMachine(distribution, project)
  try {
    await distribution.publish('bookworm', [await makeTalkingClient(packages, 15)])
    await project.publish('bookworm-pgdg', [await makeTalkingClient(packages, 17), await makeRealServer(packages, 17)])
    project.tamper(`postgresql-17_17.5-1_amd64.deb`, (bytes) => Buffer.from(bytes.map((byte, at) => (at === 5000 ? byte ^ 1 : byte))))
    expect((await thrownBy(machine.provideServer(17))).message).toMatch(/^the PostgreSQL 17 server programs are not installed and cannot be fetched: .*Hash Sum mismatch/)
    project.reset()
    const programs = await machine.provideServer(17)
    expect(programs.directory).toMatch(new RegExp(`^${machine.toolCache}/lifeboat-postgresql-server/17\\.5\\.0-d1/`))
    project.requests()
    expect(await machine.provideServer(17)).toEqual(programs)
    expect(project.requests()).toEqual([])
    chmodSync(machine.folder, 0o700) // As a home: the ordinary user cannot go through it.
    const cluster = await start(localPrograms(programs, variables, path.dirname(programs.directory)))
    expect(await ask(cluster, "SELECT current_user || current_setting('server_version_num')::int / 10000 || count(*) FROM pg_available_extensions WHERE name = 'amcheck'")).toBe('the boss171')
    await cluster.close()
    expect(readdirSync(temporary())).toEqual([])
    expect((await thrownBy(machine.provideServer(16))).message).toContain("the distribution's archive has no PostgreSQL server programs")
  } finally {
    machine.remove()
    await Promise.all([distribution, project].map((repository: AptRepository) => repository.stop()))
    rmSync(packages, { recursive: true })
  }
})

test('too little room is said before anything is started', async () => {
  const programs = { name: 'none', prepare: () => Promise.reject(new Error('it was started')) }
  expect((await thrownBy(start(programs, { space: 2 ** 60 }))).message).toMatch(/ free, a drill needs about /)
  expect(readdirSync(temporary())).toEqual([])
})

test('a user without a name is told what initdb needs', async () => {
  const says = 'echo "initdb: error: could not look up effective user ID 4711: user does not exist" >&2; exit 1'
  const programs: ServerPrograms = { name: 'one', prepare: async () => ({
    directory: '', line: () => ['/bin/sh', '-c', says], environment: { PATH: '/usr/bin:/bin' }, user: undefined, release: async () => undefined,
  }) }
  const { message, hint } = await thrownBy(start(programs))
  expect(message).toMatch(/^a scratch server of one does not start in .*: initdb: error: could not look up effective user ID 4711: user does not exist$/)
  expect(hint).toMatch(/^Run as a user who has an entry in \/etc\/passwd\. Or: Give a scratch server/)
})

describe('in an image', () => {
  let daemon: DockerDaemon
  let image: string
  beforeAll(async () => {
    daemon = await DockerDaemon.start()
    image = daemon.makeServerImage(17)
  })
  afterAll(() => daemon.stop())

  const programs = async (run = temporary()): Promise<ServerPrograms> => {
    const context = { variables: daemon.variables, signal, report, temporary: run, now: () => new Date(), clientInstall: 'auto' as const }
    return imagePrograms(await pullImage(image, context), context)
  }
  const containers = (): string[] => daemon.run('ps', '--all', '--format', '{{.Names}}').split('\n').filter((name) => name !== '')

  test('a server answers on a socket, without a network, and nothing of it stays', async () => {
    const cluster = await start(await programs())
    expect(await ask(cluster, "SELECT current_user || current_setting('listen_addresses')")).toBe('the boss')
    const [name] = containers()
    const told = daemon.run('inspect', name!)
    expect(told).toContain('"NetworkMode": "none"')
    expect(told).not.toContain(cluster.connection.environment.PGPASSWORD)
    const as = process.getuid?.() === 0 ? 65534 : process.getuid?.()
    expect(told).toContain(`"User": "${as}:`)
    await cluster.close()
    expect(containers()).toEqual([])
    expect(readdirSync(temporary())).toEqual([])
  })

  test('a backup is drilled in it, and nothing of it stays', async () => {
    const server = await startServer(17)
    try {
      await server.sql("CREATE DATABASE drilled TEMPLATE template0 LOCALE 'C'") // The image has no other.
      await server.sql('CREATE ROLE owner_of_t; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); ALTER TABLE t OWNER TO owner_of_t', 'drilled')
      const given = { set: 'drilled', destination: `file:${folder}/store`, 'encryption-key': (await newIdentity()).identity }
      const environment = { variables: { ...daemon.variables, PATH: `${clientDirectory(17)}:${process.env.PATH ?? ''}` }, temporary: temporary() }
      await dispatched('backup', { ...given, 'database-url': server.url('drilled') }, new Date(), environment)
      const { result } = await dispatched('verify', { ...given, level: 'drill', 'scratch-image': image, 'assert-sql': 'rows: SELECT count(*) = 2 FROM t' }, new Date(), environment)
      expect(result).toMatchObject({ result: 'verified', problems: [], sources: [{ drill: { rows: 2, assertions: 1 } }] })
      const shown = await dispatched('show', given, new Date(), environment)
      const id = daemon.run('image', 'inspect', '--format', '{{.Id}}', image).trim()
      expect(shown.result).toMatchObject({ proofs: [{ level: 'drill', versions: { 'scratch image': id } }, { level: 'list' }] })
      expect(containers()).toEqual([])
      expect(readdirSync(temporary())).toEqual([])
    } finally {
      await server.stop()
    }
  })

  test('an interrupt removes it', async () => {
    const controller = new AbortController()
    const cluster = await start(await programs(), { signal: controller.signal })
    controller.abort(new Error('interrupted'))
    await cluster.close()
    expect(containers()).toEqual([])
    expect(readdirSync(temporary())).toEqual([])
  })

  test('a container that a killed run left is removed by the next run, and that of a living run is not', async () => {
    const ended = spawn('true')
    await once(ended, 'exit')
    const alive = `lifeboat-${newRunId()}`
    const gone = alive.replace(`-${process.pid}-`, `-${ended.pid}-`)
    for (const [name, run] of [['alive', alive], ['gone', gone], ['unknown', 'temporary']])
      daemon.run('run', '--detach', '--network=none', '--label=io.github.lifeboat=scratch', `--label=io.github.lifeboat.run=${run}`, `--name=${name}`, daemon.image, 'sleep', '600')
    await programs()
    expect(containers().toSorted()).toEqual(['alive', 'unknown'])
    daemon.run('rm', '--force', 'alive', 'unknown')
  })

  test('an image that is not available, or has no server, is an error that names it', async () => {
    image = 'none/such:1'
    expect((await thrownBy(programs())).message).toContain('docker cannot fetch the image none/such:1: ')
    image = daemon.image
    expect((await thrownBy(start(await programs()))).message).toMatch(/^a scratch server of the image lifeboat-helper:test does not start in .*initdb/)
    expect(containers()).toEqual([])
    image = 'postgres:17'
  })
})

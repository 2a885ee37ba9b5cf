import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../../src/error.ts'
import { clientForDump, clientForRestore, findClients, newestClient } from '../../../src/sources/postgres/clients.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-clients-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Programs that tell their version and, in `asked`, that they were run. */
function install(directory: string, version: string, programs = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']): string {
  const full = path.join(folder, directory)
  mkdirSync(full, { recursive: true })
  for (const program of programs) {
    writeFileSync(path.join(full, program), `#!/bin/sh\necho asked >> "${folder}/asked"\necho "${program} (PostgreSQL) ${version}"\n`)
    chmodSync(path.join(full, program), 0o755)
  }
  return full
}

const find = (variables: Record<string, string>) => findClients(variables, path.join(folder, 'postgresql'))
const client = (major: number) => ({ major, directory: `/usr/lib/postgresql/${major}/bin` })

test('Debian folders, PATH and the tool cache are searched, the newest comes first, and no version that a path tells is asked for', async () => {
  const a = install('postgresql/15/bin', '15.1')
  const b = install('opt/pgsql-16/bin', '16.1')
  const c = install('cache/postgresql-client/17.5/x64/usr/lib/postgresql/17/bin', '17.5')
  const d = install('cache/postgresql-client/18.0/x64/bin', '18.0')
  const clients = await find({ PATH: `/nowhere:${b}:relative`, RUNNER_TOOL_CACHE: path.join(folder, 'cache') })
  expect(clients).toEqual([
    { major: 18, directory: d },
    { major: 17, directory: c },
    { major: 16, directory: b },
    { major: 15, directory: a },
  ])
  expect(() => rmSync(path.join(folder, 'asked'))).toThrow('ENOENT')
})

test('a folder whose name says nothing is asked for its version', async () => {
  const bin = install('my tools/bin', '16.3 (Ubuntu 16.3-1)')
  expect(await find({ PATH: `${bin}:/bin` })).toEqual([{ major: 16, directory: bin }])
})

test("Debian's wrapper is never taken for a client", async () => {
  install('share', '17.0')
  writeFileSync(path.join(folder, 'share/pg_wrapper'), '#!/bin/sh\necho "pg_dump (PostgreSQL) 17.0"\n')
  chmodSync(path.join(folder, 'share/pg_wrapper'), 0o755)
  mkdirSync(path.join(folder, 'bin'))
  for (const program of ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']) symlinkSync('../share/pg_wrapper', path.join(folder, 'bin', program))
  expect(await find({ PATH: path.join(folder, 'bin') })).toEqual([])
})

test('a folder that lacks one of the programs is passed over', async () => {
  install('postgresql/17/bin', '17.0', ['pg_dump', 'psql'])
  expect(await find({ PATH: '' })).toEqual([])
})

test('dumping takes the version of the server', () => {
  expect(clientForDump([client(18), client(17), client(15)], 17)).toEqual({ client: client(17) })
})

test('dumping takes the lowest newer version, and says so', () => {
  const { client: chosen, warning } = clientForDump([client(18), client(17), client(15)], 16)
  expect(chosen).toEqual(client(17))
  expect(warning).toContain('dumping a PostgreSQL 16 server with pg_dump 17')
})

test('a server newer than every client is an error that names the clients, their places and what to install', () => {
  const error = thrown(() => clientForDump([client(16), client(15)], 17))
  expect(error.message).toBe(
    'the server is PostgreSQL 17, and no pg_dump here is that new: found 16 in /usr/lib/postgresql/16/bin, 15 in /usr/lib/postgresql/15/bin',
  )
  expect(error.hint).toContain('sudo apt-get install -y postgresql-client-17')
  expect(thrown(() => newestClient([])).hint).toContain('sudo apt-get install -y postgresql-client;')
})

test('restoring takes the version of the target if it can read the archive, else the lowest that can', () => {
  const clients = [client(18), client(17), client(16), client(15)]
  expect(clientForRestore(clients, 15, 17)).toEqual({ client: client(17) })
  expect(clientForRestore(clients, 16, 15)).toEqual({ client: client(16), warning: 'restoring into a PostgreSQL 15 server with pg_restore 16' })
  expect(clientForRestore(clients, 15)).toEqual({ client: client(15) })
  expect(clientForRestore([client(18)], 15, 15).client).toEqual(client(18))
  expect(thrown(() => clientForRestore([client(15)], 17, 15)).message).toContain('the archive was made by pg_dump 17, and no pg_restore here is that new')
})

function thrown(run: () => unknown): LifeboatError {
  try {
    run()
  } catch (error) {
    if (error instanceof LifeboatError) return error
  }
  throw new Error('no LifeboatError was thrown')
}

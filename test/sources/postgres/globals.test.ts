import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startChild } from '../../../src/process/child.ts'
import { clientEnvironment as clientEnvironmentOf, onDatabase, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { readGlobals } from '../../../src/sources/postgres/globals.ts'
import { unexpectedLine } from '../../../src/sources/postgres/globals-script.ts'
import { clientDirectory, clientEnvironment, type Server, startServer } from '../../support/postgres-server.ts'
import { run } from '../../support/client-programs.ts'

const variables = { PATH: process.env['PATH'] ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
const { signal } = new AbortController()
let server: Server
let folder: string
beforeAll(async () => {
  server = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-globals-'))
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

const options = { client, passwords: true, variables, signal }
const globalsOf = async (database: string) => {
  const globals = await readGlobals({ ...options, connection: parseDatabaseUrl(server.url(database)) })
  if ('reason' in globals) throw new Error(globals.reason)
  return globals.bytes.toString()
}

/** Whether psql runs a command of its own that says MARK. */
async function psqlObeys(script: string): Promise<boolean> {
  const file = path.join(folder, 'script.sql')
  writeFileSync(file, script, 'latin1')
  const output = await run(path.join(clientDirectory(17), 'psql'), ['-X', '-q', '-f', file], { env: clientEnvironment(server, 'postgres') })
  return output.includes('MARK\n')
}

const command = '\\echo MARK'
test.each([
  ['a command at the beginning of a line', `${command}\n`, true],
  ['a command after a statement', `CREATE ROLE x; ${command}\n`, true],
  ['a command after a comment that a line break ends', `-- Name: a\n${command}\n--\n`, true],
  ['a command after a comment that a carriage return ends', `-- Name: a\r${command}\n`, true],
  ['a command in a comment', `-- Name: ${command}\nCREATE ROLE x;\n`, false],
  ['a command in a name', `CREATE ROLE "x\n${command}\n""y";\n`, false],
  ['a command in an escaped string', `COMMENT ON ROLE postgres IS E'x\n${command}\n\\'${command}\n';\n`, false],
  ['a command after an escaped string', `COMMENT ON ROLE postgres IS E'x\\\\';\n${command}\n`, true],
  ['a command after a string that ends with a backslash', `COMMENT ON ROLE postgres IS 'x\\';\n${command}\n--'\n`, true],
  ['a command after a string behind a word that ends with e', `COMMENT ON ROLE postgres IS type'x\\';\n${command}\n--'\n`, true],
  ['a command between comments that quote', `/* E' */ ${command}\n/* ' */\n`, true],
  ['a command after a dollar quote', `SELECT $a$ E' $a$;\n${command}\n--'\n`, true],
  ['a command after a character of two bytes in an encoding of clients', `SET client_encoding = 'SJIS';\nCOMMENT ON ROLE postgres IS E'\x83' ';\n${command}\n--'\n`, true],
])('%s is found where psql would run it', async (_, script, obeyed) => {
  expect(await psqlObeys(script)).toBe(obeyed)
  expect(unexpectedLine(Buffer.from(script, 'latin1')) !== undefined).toBe(obeyed)
})

test.each([
  ['a statement that pg_dumpall does not write', `CREATE ROLE x;\nCOPY (SELECT 1) TO PROGRAM 'id';\n`, 2],
  ['a setting that changes how the rest is read', `SELECT set_config('client_encoding', 'SJIS', false);\n`, 1],
  ['a statement without an end', `\nCREATE ROLE x\n`, 2],
  ['a byte that ends a line for psql', `CREATE ROLE "a\0b";\n`, 1],
  ['a restriction within a statement', `CREATE ROLE\n\\unrestrict abc\nx;\n`, 2],
])('%s is found', (_, script, number) => {
  expect(unexpectedLine(Buffer.from(script))).toEqual({ number, text: script.split('\n')[number - 1] })
})

test.each([15, 17, 18] as const)('the output of pg_dumpall %i for names with line breaks and backslashes is given to people, and psql runs no command of it', async (major) => {
  const from = await startServer(major)
  try {
    const name = `a\n${command}\n"b\\`
    const quoted = `"${name.replaceAll('"', '""')}"`
    await from.sql(
      `CREATE ROLE ${quoted} PASSWORD E'x\\n\\\\echo MARK\\n' VALID UNTIL '2040-01-01'; CREATE ROLE "Ünïcode $1"; GRANT "Ünïcode $1" TO ${quoted};
       COMMENT ON ROLE ${quoted} IS E'it''s\\n\\\\echo MARK\\n\\\\'; ALTER ROLE ${quoted} SET search_path = "$user", public, ${quoted};
       ALTER ROLE "Ünïcode $1" IN DATABASE postgres SET work_mem = '7MB'; ALTER ROLE "Ünïcode $1" SET client_encoding = 'SJIS'`,
    )
    const globals = await readGlobals({ ...options, client: { major, directory: clientDirectory(major) }, connection: parseDatabaseUrl(from.url()) })
    if ('reason' in globals) throw new Error(globals.reason)
    expect(globals.bytes.toString()).toMatch(/^\\restrict \w+$/m)
    // Under another name, for it sets the password of the role that the tests use.
    expect(await psqlObeys(globals.bytes.toString('latin1').replaceAll('ROLE postgres', 'ROLE other'))).toBe(false)
  } finally {
    await from.stop()
  }
})

test('a script of an old or hostile pg_dumpall with a command in it is left out, and its line is named', async () => {
  const directory = path.join(folder, 'old')
  mkdirSync(directory)
  for (const program of readdirSync(client.directory)) symlinkSync(path.join(client.directory, program), path.join(directory, program))
  rmSync(path.join(directory, 'pg_dumpall'))
  writeFileSync(path.join(directory, 'pg_dumpall'), `#!/bin/sh\nprintf -- '-- User Config "a\\n\\\\! id"\\n'\n`)
  chmodSync(path.join(directory, 'pg_dumpall'), 0o755)
  const globals = await readGlobals({ ...options, client: { major: 17, directory }, connection: parseDatabaseUrl(server.url()) })
  expect(globals).toEqual({ reason: 'line 2 of what pg_dumpall 17 wrote could run commands in psql: "\\\\! id\\""', hint: expect.stringContaining('update the client programs') })
})

test('the reason why pg_dumpall could not connect is told, which it does not tell itself', async () => {
  await server.sql("CREATE ROLE lone LOGIN PASSWORD 'lone' CONNECTION LIMIT 1")
  const connection = parseDatabaseUrl(server.url('postgres', 'lone', 'lone'))
  const holder = startChild(path.join(client.directory, 'psql'), ['-X', '-q', '-A', '-t', '-w'], { environment: clientEnvironmentOf(connection, variables) })
  const output = holder.stdout[Symbol.asyncIterator]()
  try {
    await holder.write(Buffer.from("SELECT 'connected';\n"))
    await output.next()
    await expect(readGlobals({ ...options, connection })).rejects.toMatchObject({ message: expect.stringMatching(/ has no free connection$/), hint: expect.stringContaining('a backup needs two') })
  } finally {
    await holder.stop()
  }
  const nobody = parseDatabaseUrl(server.url('postgres', 'nobody', 'a-password'))
  await expect(readGlobals({ ...options, connection: nobody })).rejects.toThrow('refused the password of user "nobody"')
})

describe('a database whose name reads like a connection string', () => {
  test.each(['x host=evil.invalid', 'postgres://evil.invalid/x', `it's "a" \\ name = 'b'`])('%s', async (name) => {
    await server.createDatabase(name)
    expect(await globalsOf(name)).toContain('CREATE ROLE postgres')
    const other = onDatabase(parseDatabaseUrl(server.url()), name)
    expect(await readGlobals({ ...options, connection: other })).toMatchObject({ passwords: true })
  })

  test('is not followed by pg_dumpall', async () => {
    let connections = 0
    const elsewhere = createServer((socket) => void (connections++, socket.destroy())).listen(0, '127.0.0.1')
    await new Promise((resolve) => elsewhere.once('listening', resolve))
    try {
      const address = elsewhere.address()
      const name = `host=127.0.0.1 port=${typeof address === 'object' ? address?.port : ''}`
      await server.createDatabase(name)
      expect(await globalsOf(name)).toContain('CREATE ROLE postgres')
      expect(connections).toBe(0)
    } finally {
      elsewhere.close()
    }
  })
})

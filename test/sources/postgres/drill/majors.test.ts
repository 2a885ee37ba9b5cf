import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../../../src/repository/keys.ts'
import { dispatched } from '../../../support/dispatched.ts'
import { clientDirectory, startServer } from '../../../support/postgres-server.ts'

const sqlOf = (name: string) => readFileSync(path.join(import.meta.dirname, `../../../support/dataset/${name}.sql`), 'utf8')
const kinds = sqlOf('kinds')

/** Of the client programs that tests have, those of the server's major or the next newer one. */
test.each([[14, 15], [16, 17], [18, 18]] as const)('nothing of a healthy database of PostgreSQL %i with every kind of object, or of several owners, differs', async (major, client) => {
  const { identity } = await newIdentity()
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-drill-'))
  const server = await startServer(major, { settings: { wal_level: 'logical' } })
  const scratch = await startServer(major)
  try {
    await server.sql('CREATE ROLE kinds_owner; CREATE ROLE kinds_reader')
    await server.createDatabase('kinds')
    await server.sql(kinds, 'kinds')
    const variables = { PATH: [clientDirectory(client), process.env.PATH].join(path.delimiter), HOME: process.env.HOME ?? '' }
    const run = (command: 'backup' | 'verify', raw: Record<string, string>) =>
      dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...raw }, new Date(), { variables, temporary: path.join(folder, 'temporary') })
    await run('backup', { set: 'kinds', 'database-url': server.url('kinds') })
    const { result } = await run('verify', { set: 'kinds', level: 'drill', 'scratch-url': scratch.url('postgres') })
    expect(result).toMatchObject({ result: 'verified', problems: [], sources: [{ drill: { wording: true } }] })
    await server.sql(sqlOf('owners-roles'))
    await server.createDatabase('owners')
    await server.sql(sqlOf('owners'), 'owners')
    await run('backup', { set: 'owners', 'database-url': server.url('owners') })
    const several = await run('verify', { set: 'owners', level: 'drill', 'scratch-url': scratch.url('postgres') })
    expect(several.result).toMatchObject({ result: 'verified', problems: [], sources: [{ drill: { wording: true } }] })
    if (major !== 14) return
    // A newer pg_dump may write what the server does not know.
    await server.sql('CREATE DATABASE newer')
    await server.sql('CREATE UNLOGGED TABLE u (id int GENERATED ALWAYS AS IDENTITY)', 'newer')
    await run('backup', { set: 'newer', 'database-url': server.url('newer') })
    const drilled = await run('verify', { set: 'newer', level: 'drill', 'scratch-url': scratch.url('postgres') })
    expect(drilled.result).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(/^PostgreSQL 14 does not take what pg_dump 15 wrote: syntax error at or near "LOGGED".*Give a scratch server of PostgreSQL 15/)] })
  } finally {
    rmSync(folder, { recursive: true })
    await server.stop()
    await scratch.stop()
  }
})

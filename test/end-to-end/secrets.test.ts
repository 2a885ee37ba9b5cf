import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { newIdentity } from '../../src/repository/keys.ts'
import { splitSigned } from '../../src/repository/signed.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { contentOf, type Ending, Sandbox } from './sandbox.ts'

const password = `p@ss/w%rd: "x' y`
const passphrase = 'staple battery & horse "correct"'

let server: Server
beforeAll(async () => {
  server = await startServer(15)
  await server.createDatabase('hidden_shop')
  await server.sql(`CREATE TABLE hidden_orders AS SELECT 1 AS id; CREATE ROLE me LOGIN SUPERUSER PASSWORD '${password.replaceAll("'", "''")}'`, 'hidden_shop')
})
afterAll(() => server.stop())

const forms = (secret: string): string[] => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString('base64').slice(0, -4)]

function expectNone(text: string, secrets: string[]): void {
  for (const secret of secrets.flatMap(forms)) expect(text).not.toContain(secret)
}

/** Strings as strace prints them with -xx, read. */
function decoded(log: string): string {
  return log.replaceAll(/(?:\\x[0-9a-f]{2})+/g, (hex) => Buffer.from(hex.replaceAll('\\x', ''), 'hex').toString())
}

describe.each(['an identity', 'a passphrase'])('with %s', (kind) => {
  test.each(['terminal', 'action'] as const)('no secret is in an argument of any process, in anything printed, or readable in the store or in staging (%s)', async (as) => {
    const key = kind === 'a passphrase' ? passphrase : (await newIdentity()).identity
    const url = server.url('hidden_shop', 'me', password)
    const target = url.replace('hidden_shop', 'restored_shop')
    const sandbox = await Sandbox.open(url, key)
    try {
      const log = path.join(sandbox.folder, 'strace')
      const traced = async (command: 'backup' | 'restore' | 'verify', given: Record<string, string>): Promise<Ending & { calls: string }> => {
        const under = ['strace', '-f', '--seccomp-bpf', '--quiet=all', '-xx', '-s', '65536', '-o', log, '-e', 'trace=execve,mkdir,open,openat']
        const ending = await sandbox.run(command, given, { as, under, variables: { LIFEBOAT_DEBUG: '1' } })
        return { ...ending, calls: decoded(readFileSync(log, 'utf8')) }
      }
      const runs = [
        await traced('backup', { description: 'a hidden remark' }),
        await traced('restore', { 'database-url': target, mode: 'create', jobs: '2' }),
        await traced('verify', { level: 'read' }),
        // Failures say more than successes do.
        await traced('backup', { 'database-url': url.replace('hidden_shop', 'nowhere') }),
        await traced('restore', { 'database-url': target }),
      ]
      expect(runs.map(({ status }) => status)).toEqual([0, 0, 0, 1, 1])
      for (const { out, err, outputs, summary, calls } of runs) {
        expectNone([out, err, summary, ...Object.values(outputs)].join('\n'), [key, password, url])
        expectNone(calls, [key, password, url])
      }
      expect(runs[0]!.calls).toMatch(/execve\("[^"]*pg_dump", .*--format=custom/)

      const staged = runs[1]!.calls.split('\n').filter((line) => line.includes(sandbox.temporary) && /O_CREAT|mkdir\(/.test(line))
      expect(staged.length).toBeGreaterThanOrEqual(2)
      // strace writes a call in two lines where another thread comes between.
      for (const line of staged) expect(line).toMatch(/mkdir\(.*, 0700(\)| <unfinished)|O_CREAT.*, 0600(\)| <unfinished)/)

      for (const file of Object.keys(contentOf(sandbox.store))) {
        const bytes = readFileSync(path.join(sandbox.store, file))
        const text = (file.endsWith('.zst') ? zstdDecompressSync(splitSigned(bytes)!.body) : bytes).toString('latin1')
        expectNone(text, [key, password, url])
        expect(text).not.toMatch(/hidden_shop|hidden_orders|hidden remark/)
      }
      expect(Object.keys(contentOf(path.join(sandbox.store, 'keys')))).toHaveLength(kind === 'a passphrase' ? 1 : 0)
    } finally {
      rmSync(sandbox.folder, { recursive: true })
      await server.sql('DROP DATABASE IF EXISTS restored_shop WITH (FORCE)')
    }
  })
})

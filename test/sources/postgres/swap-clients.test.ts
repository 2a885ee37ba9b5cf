import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { clientDirectory, clientEnvironment, type Server, startServer } from '../../support/postgres-server.ts'
import { dump } from '../../support/restoring.ts'
import { swapInto } from '../../support/swapping.ts'

let server: Server
let temporary: string
let archive: Buffer
beforeAll(async () => {
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-clients-'))
  server = await startServer(17)
  await server.createDatabase('app')
  await server.sql(`
    CREATE TABLE about (version text); INSERT INTO about VALUES ('new');
    CREATE TABLE accounts AS SELECT g AS id, 100 AS balance FROM generate_series(1, 20000) g;
    CREATE INDEX ON accounts (id);
    CREATE TABLE written (client int, number int)`, 'app')
  archive = dump(server, 'app', 17)
  await server.sql(`UPDATE about SET version = 'old'`, 'app')
})
afterAll(async () => {
  rmSync(temporary, { recursive: true })
  await server.stop()
})

/** A line `version|accounts|money|client|number` for each transaction that was committed. */
const lines: string[] = []
const errors: string[] = []
const work = { stopped: false }

/** A client that moves money in one session after the other, and writes down its transactions. */
async function client(number: number): Promise<void> {
  for (let session = 0; !work.stopped; session++) {
    const transactions = Array.from({ length: 20 }, (_, index) => {
      const own = session * 20 + index
      const [from, to] = [own % 20000 + 1, (own * 7 + number) % 20000 + 1]
      return `BEGIN; UPDATE accounts SET balance = balance - 1 WHERE id = ${from}; UPDATE accounts SET balance = balance + 1 WHERE id = ${to};
        INSERT INTO written VALUES (${number}, ${own}); SELECT (SELECT version FROM about) AS version, count(*) AS accounts, sum(balance) AS money FROM accounts \\gset
        COMMIT;
        \\echo :version|:accounts|:money|${number}|${own}\n`
    })
    const child = spawn(path.join(clientDirectory(17), 'psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'], { env: clientEnvironment(server, 'app') })
    const texts = { out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text))
    child.stdin.on('error', () => undefined)
    child.stdin.end(transactions.join(''))
    await new Promise((resolve) => child.on('close', resolve))
    lines.push(...texts.out.split('\n').filter((line) => line !== ''))
    if (texts.err !== '') errors.push(texts.err)
  }
}

test('clients that write all the time see the old database or the new one, and nothing in between', async () => {
  const clients = [1, 2, 3].map(client)
  let pause: number | undefined
  let kept: string
  try {
    while (lines.length < 20) await new Promise((resolve) => setTimeout(resolve, 20))
    const outcome = await swapInto(server, 'app', archive, temporary, [], { terminate: true, rows: [{ schema: 'public', name: 'accounts', rows: 20000 }] })
    ;({ pause, kept } = outcome.swapped!)
    const seen = lines.length
    while (lines.slice(seen).filter((line) => line.startsWith('new|')).length < 20) await new Promise((resolve) => setTimeout(resolve, 20))
  } finally {
    work.stopped = true
    await Promise.all(clients)
  }
  process.stdout.write(`${lines.length} transactions; new connections waited for ${pause} ms\n`)
  expect(new Set(lines.map((line) => line.split('|').slice(0, 3).join('|')))).toEqual(new Set(['old|20000|2000000', 'new|20000|2000000']))
  // A client may lose its connection, and meets no other error.
  for (const error of errors) expect(error).toMatch(/terminating connection due to administrator command|does not exist[^]*dropped or renamed|connection to server was lost|server closed the connection/)
  const faults = errors.flatMap((error) => error.split('\n')).filter((line) => !/^\s*CONTEXT:/.test(line))
  expect(faults.join('\n')).not.toMatch(/relation|column|division/)
  // Every transaction that was committed is in the database that it saw.
  for (const [database, version] of [[kept, 'old'], ['app', 'new']] as const) {
    const written = new Set((await server.sql(`SELECT client || '|' || number FROM written`, database)).split('\n'))
    const told = lines.filter((line) => line.startsWith(`${version}|`)).map((line) => line.split('|').slice(3).join('|'))
    expect(told.filter((line) => !written.has(line))).toEqual([])
  }
  // A session that was begun in the new database stays there: for each client, the old version ends before the new one begins.
  for (const number of [1, 2, 3]) {
    const versions = lines.filter((line) => line.split('|')[3] === `${number}`).map((line) => line.split('|')[0])
    expect(versions.lastIndexOf('old')).toBeLessThan(versions.indexOf('new'))
  }
  expect(pause).toBeLessThan(5000)
})

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { diagnose } from '../../../src/sources/postgres/diagnosis.ts'
import { readServerFacts } from '../../../src/sources/postgres/facts.ts'
import { readGlobals } from '../../../src/sources/postgres/globals.ts'
import { identifier, literal, query, queryJson, type QueryContext } from '../../../src/sources/postgres/query.ts'
import { databaseExists, requireEmpty, requireNoRows } from '../../../src/sources/postgres/target.ts'
import { shareSnapshot } from '../../../src/sources/postgres/dump/shared-snapshot.ts'
import { PostgresSource } from '../../../src/sources/postgres/source.ts'
import { type Answer, beginningOfRow, complete, failure, type FakePostgres, heading, notice, row, startFakePostgres } from '../../support/fake-postgres.ts'
import { portOf } from '../../support/free-port.ts'
import { clientDirectory } from '../../support/postgres-server.ts'
import { quiet } from '../../support/quiet.ts'
import { runLifeboat } from '../../support/terminal-program.ts'
import { z } from 'zod'

const variables = { PATH: process.env['PATH'] ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
let folder: string
const fakes: FakePostgres[] = []
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-hostile-'))))
afterEach(async () => {
  await Promise.all(fakes.splice(0).map((fake) => fake.stop()))
  rmSync(folder, { recursive: true })
})

/** A server that answers statements that ask for something with `answer`, and does what the others say. */
async function contextOf(answer: (statement: string) => Answer, reports?: Record<string, string>): Promise<QueryContext & { fake: FakePostgres }> {
  const fake = await startFakePostgres((statement) => (/^SELECT (?!WHERE)|^WITH/.test(statement) ? answer(statement) : [complete('DO')]), reports)
  fakes.push(fake)
  return { fake, connection: parseDatabaseUrl(fake.url, variables), client, variables }
}

const facts = (name: string): string =>
  JSON.stringify({
    server: { major: 17, version: name }, database: name, encoding: 'UTF8', collation: name, extensions: [{ name, version: name }], rolePasswords: true, rowBytes: 0,
    session: { TimeZone: name, bytea_output: name, lc_monetary: name, quote_all_identifiers: name, standard_conforming_strings: name },
  })
const json = (value: string): Answer => [heading, row(value), complete()]

const marker = () => path.join(folder, 'marker')

const names = () => [
  `\\! touch ${marker()}`, `a\n\\! touch ${marker()}\n`, `'; \\! touch ${marker()}`, `" \\! touch ${marker()}\n"`, `E'\\'' \\! touch ${marker()}`, `$$ \\! touch ${marker()} $$`,
  `\\g |touch ${marker()}`, `:'x' \`touch ${marker()}\``,
]

describe('text of a server is never read as a command or as SQL', () => {
  test.each(['on', 'off'])('with standard_conforming_strings %s', async (standard) => {
    await Promise.all(names().map(async (name) => {
      const context = await contextOf((statement) => (/concat/.test(statement) ? json(name) : json(facts(name))), { standard_conforming_strings: standard })
      expect((await readServerFacts(context)).database).toBe(name)
      const source = new PostgresSource({ name: 'shop', connection: context.connection, programs: () => ({ clients: [client] }), dumpArguments: [], lockTimeout: 1000, signal: new AbortController().signal, report: quiet, variables })
      for (const work of [requireEmpty, requireNoRows, diagnose, () => databaseExists(name, context), () => source.open(), () => shareSnapshot([{ schema: name, name }], 1000, 17, context)]) await work(context).catch(() => undefined)
      await source.close()
      expect(context.fake.statements.filter((statement) => statement.includes(name) && !statement.includes(literal(name)) && !statement.includes(identifier(name)))).toEqual([])
    }))
    expect(existsSync(marker())).toBe(false)
  })
})

test('a server cannot name another one to connect to', async () => {
  let connections = 0
  const elsewhere = createServer((socket) => void (connections++, socket.destroy())).listen(0, '127.0.0.1')
  await new Promise((resolve) => elsewhere.once('listening', resolve))
  try {
    const context = await contextOf(() => json(facts(`host=127.0.0.1 port=${portOf(elsewhere)}`)))
    const source = new PostgresSource({ name: 'shop', connection: context.connection, programs: () => ({ clients: [client] }), dumpArguments: [], lockTimeout: 1000, signal: new AbortController().signal, report: quiet, variables })
    await source.open()
    await expect((async () => { for await (const { bytes } of source.streams()) for await (const _ of bytes); })()).rejects.toThrow()
    await source.close()
    await readGlobals({ client, connection: context.connection, passwords: true, variables, signal: new AbortController().signal }).catch(() => undefined)
    expect(connections).toBe(0)
  } finally {
    elsewhere.close()
  }
})

const megabyte = Buffer.alloc(1e6, 'x')
async function* endless(bytes: Buffer, pause = 0): AsyncGenerator<Buffer> {
  for (;;) {
    yield bytes
    if (pause > 0) await sleep(pause)
  }
}
async function* after(first: Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first
  yield* rest
}

describe('answers are bounded', () => {
  test.each<[string, () => Answer]>([
    ['a value of 100 MB', () => [heading, beginningOfRow(1e8), ...Array.from({ length: 100 }, () => megabyte), complete()]],
    ['a thousand values of a megabyte', () => [heading, ...Array<Buffer>(1000).fill(row(megabyte)), complete()]],
    ['a value that says it has a gigabyte', () => after([heading, beginningOfRow(1e9)], endless(megabyte))],
  ])('%s is an error, and takes no memory', async (_, answer) => {
    const context = await contextOf(answer)
    const before = process.memoryUsage.rss()
    await expect(query('SELECT 1', context)).rejects.toMatchObject({ message: `127.0.0.1:${context.fake.port}/shop sent an answer of more than 67.1 MB` })
    expect(process.memoryUsage.rss() - before).toBeLessThan(4e8)
  })

  test('an answer that does not end ends with the time limit', async () => {
    const answers: (() => Answer)[] = [
      () => endless(Buffer.alloc(0), 50),
      // psql drops what it has no room for.
      () => after([heading], endless(row(megabyte), 1)),
      () => after([heading], endless(row('x'), 20)),
      () => endless(notice('x'.repeat(10_000)), 1),
    ]
    await Promise.all(answers.map(async (answer) => {
      const context = await contextOf(answer)
      await expect(query('SELECT 1', { ...context, timeLimit: 2000 })).rejects.toThrow(/did not answer within 2\.0 s|sent an answer of more/)
    }))
  })

  test('silence ends with an interruption, too', async () => {
    const stop = new AbortController()
    const context = await contextOf(() => endless(Buffer.alloc(0), 50))
    const asking = query('SELECT 1', { ...context, signal: stop.signal }).catch((error: unknown) => error)
    while (!context.fake.statements.includes('SELECT 1')) await sleep(10)
    stop.abort(new Error('stopped by the test'))
    expect(await asking).toMatchObject({ message: 'stopped by the test' })
    expect(context.fake.cancelled).toBeGreaterThan(0)
  })
})

test.each(['', 'null', '{"a":1}', '[', '{"tables":"::add-mask::x"}'])('an answer %j of another shape is an error that names the server', async (text) => {
  const context = await contextOf(() => json(text))
  await expect(readServerFacts(context)).rejects.toThrow(`127.0.0.1:${context.fake.port}/shop sent an unexpected answer: ${text}`)
  await expect(queryJson('SELECT 1', z.array(z.number()), context)).rejects.toThrow('sent an unexpected answer')
})

const commands = ['::set-env name=PATH::/tmp', '::add-mask::shop', '##[add-path]/tmp', '\u001B[2J\u001B]0;title\u0007', '\u009B2J', '\\! id']
const hostile = commands.flatMap((command) => [command, `x\n${command}`, `x\r${command}`, `x\r\n  ${command}`]).join('\n')

test.each<[string, () => Answer]>([
  ['an error', () => [failure(hostile)]],
  ['a notice before an error', () => [notice(hostile), failure('no')]],
  ['an answer', () => json(hostile)],
])('%s of a server gives no command to the runner or the terminal', async (_, answer) => {
  const { fake } = await contextOf(answer)
  await Promise.all([['doctor'], ['doctor', '--json'], ['backup']].map(async (command) => {
    const { out, err } = await runLifeboat([...command, '--destination', `file:${folder}/${command.length}`], {
      GITHUB_ACTIONS: 'true', DATABASE_URL: `shop=${fake.url}`, LIFEBOAT_ENCRYPTION_KEY: 'a passphrase for the test', PATH: `${client.directory}:${variables.PATH}`, TMPDIR: folder })
    const lines = `${out}\n${err}`.split(/\r\n|\r|\n/)
    expect(lines.filter((line) => /^\s*::|##\[/.test(line))).toEqual([])
    expect(`${out}${err}`).not.toMatch(/(?![\t\n])\p{Cc}/u)
    expect(`${out}${err}`).toMatch(/2J|add-mask/)
  }))
})

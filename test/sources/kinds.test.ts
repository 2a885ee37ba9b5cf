import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sourceKinds } from '../../src/sources/all.ts'
import { backUp } from '../support/backup.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'

let folder: string
let store: Record<string, string>
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-kinds-'))
  store = { destination: `file:${folder}`, 'encryption-key': identity, set: 'app' }
})
afterEach(() => rmSync(folder, { recursive: true }))

const unknown = (seed: string, time: Date) =>
  backUp({
    folder, encryptionKey: identity, time, kind: { kind: 'mysql', facts: { where: 'elsewhere' } },
    sources: { shop: [{ name: 'shop.sql', format: 'mysqldump', bytes: noise(seed, 1000) }] },
  })

test('a source of a kind that this version does not know is listed, shown and compared by its size, and is not called verified', async () => {
  const [first, second] = [await unknown('first', new Date(0)), await unknown('second', new Date(1000))]
  const listed = await dispatched('list', store)
  expect(listed.result.snapshots[0]).toMatchObject({ id: second.id, sources: [{ name: 'shop', kind: 'mysql', size: 1000 }] })
  const shown = await dispatched('show', store)
  expect(shown.result.sources).toMatchObject([{ name: 'shop', kind: 'mysql', size: 1000, streams: [{ name: 'shop.sql', format: 'mysqldump' }] }])
  expect(shown.text).toMatch(/^shop \(mysql\): 1.00 kB$/m)
  const compared = await dispatched('diff', { ...store, from: first.id, to: second.id })
  expect(compared.result.sources).toEqual([{ name: 'shop', kind: 'mysql', from: 1000, to: 1000, identical: false }])
  const verified = await dispatched('verify', { ...store, level: 'read' })
  expect(verified.result).toMatchObject({ result: 'could not verify', damaged: [], sources: [{ name: 'shop', result: 'could not verify' }] })
  expect(verified.result.problems).toEqual([expect.stringMatching(
    /^the source shop is of the kind mysql, which this version of Lifeboat does not know\. Use the version that made the backup\./,
  )])
})

test('a database without an archive, and a snapshot without a source, are not called verified', async () => {
  await backUp({ folder, encryptionKey: identity, time: new Date(0), sources: { app: [{ name: 'globals.sql', format: 'sql', bytes: noise('globals', 1000) }] } })
  const verified = await dispatched('verify', { ...store, level: 'read' })
  expect(verified.result).toMatchObject({ result: 'failed', sources: [{ name: 'app', result: 'failed' }] })
  expect(verified.result.problems).toEqual(['the database app has no archive in this snapshot'])
  await backUp({ folder, encryptionKey: identity, time: new Date(1000), sources: {} })
  expect((await dispatched('verify', { ...store, level: 'list' })).result).toMatchObject({ result: 'failed', problems: ['the snapshot has no source'] })
})

test('a source of a kind that this version does not know is not restored', async () => {
  await unknown('only', new Date(0))
  const refused = await refusal(dispatched('restore', { ...store, volume: 'shop', target: `${folder}/target` }))
  expect(refused).toMatch(/^error: the source shop is of the kind mysql, which this version of Lifeboat does not know\nhint: Use the version that made the backup\./)
})

test('no code outside of the folders of the kinds tests for a kind by its name', () => {
  const root = path.join(import.meta.dirname, '../../src')
  const names = new Set(sourceKinds.flatMap(({ name, recorded }) => [name, recorded]))
  const byName = new RegExp(`\\bkind\\b.{0,3}[!=]==? ?'(?:${[...names].join('|')})'|case '(?:${[...names].join('|')})'`)
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !/^sources\/(?:postgres|volumes|buckets)\//.test(file))
  expect(files.length).toBeGreaterThan(100)
  expect(files.filter((file) => byName.test(readFileSync(path.join(root, file), 'utf8')))).toEqual([])
})

test('each kind has a name of its own, and the kinds that record the same name keep their data in the same way', () => {
  expect(new Set(sourceKinds.map(({ name }) => name)).size).toBe(sourceKinds.length)
  for (const kinds of Map.groupBy(sourceKinds, ({ recorded }) => recorded).values()) {
    for (const member of ['contents', 'verify', 'describe', 'files', 'compare', 'losses']) {
      expect(new Set(kinds.map((kind) => new Map<string, unknown>(Object.entries(kind)).get(member))).size).toBe(1)
    }
  }
})

const malformed = (text: string, time: Date) => backUp({
  folder, encryptionKey: identity, time, kind: { kind: 'directory', facts: { where: '/x', segments: [] } },
  sources: { data: [{ name: 'data.list', format: 'tar-list', bytes: Buffer.from(text) }] },
})

test('a malformed list of files is told with the name of the source', async () => {
  const first = await malformed('no list\n', new Date(0))
  expect(await refusal(dispatched('show', { ...store, files: 'true' }))).toMatch(/the list of files of data has a malformed line/)
  const second = await malformed('f', new Date(1000))
  expect(await refusal(dispatched('show', { ...store, files: 'true' }))).toMatch(/the list of files of data ends in the middle of a line/)
  expect(await refusal(dispatched('diff', { ...store, from: first.id, to: second.id }))).not.toContain('Unexpected')
})

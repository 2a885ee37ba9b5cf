import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { backUp } from '../support/backup.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'

let folder: string
let store: Record<string, string>
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-kinds-'))
  store = { destination: `file:${folder}`, 'encryption-key': identity, set: 'app' }
})
afterEach(() => rmSync(folder, { recursive: true }))

const unknown = (seed: string) =>
  backUp({
    folder, encryptionKey: identity, kind: { kind: 'mysql', facts: { where: 'elsewhere' } },
    sources: { shop: [{ name: 'shop.sql', format: 'mysqldump', bytes: noise(seed, 1000) }] },
  })

test('a source of a kind that this version does not know is listed, shown and compared by its size, and is not called verified', async () => {
  const [first, second] = [await unknown('first'), await unknown('second')]
  const listed = await dispatched('list', store)
  expect(listed.result.snapshots[0]).toMatchObject({ id: second.id, sources: [{ name: 'shop', kind: 'mysql', size: 1000 }] })
  const shown = await dispatched('show', store)
  expect(shown.result.sources).toMatchObject([{ name: 'shop', kind: 'mysql', size: 1000, streams: [{ name: 'shop.sql', format: 'mysqldump' }] }])
  expect(shown.text).toMatch(/^shop \(mysql\): 1.00 kB$/m)
  const compared = await dispatched('diff', { ...store, from: first.id, to: second.id })
  expect(compared.result.sources).toEqual([{ name: 'shop', kind: 'mysql', from: 1000, to: 1000, identical: false }])
  const verified = await dispatched('verify', { ...store, level: 'read' })
  expect(verified.result).toMatchObject({ result: 'could not verify', damaged: [], sources: [{ name: 'shop', result: 'could not verify' }] })
  expect(verified.result.problems).toEqual(['the source shop is of the kind mysql, which this version of Lifeboat does not know'])
})

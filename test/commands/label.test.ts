import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { label } from '../../src/commands/label/label.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { labelsKey } from '../../src/repository/labels.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity, keys, otherKeys, through } from '../support/engine.ts'

let folder: string
let id: string
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-label-'))
  id = (await backUp({ folder, encryptionKey: identity, time: new Date('2026-11-20T02:00:00Z'), sources: { shop: [{ name: 'shop.dump', bytes: noise('label', 1000) }] } })).id
})
afterEach(() => rmSync(folder, { recursive: true }))

const given = (raw: Record<string, string> = {}) => ({ destination: `file:${folder}`, 'encryption-key': identity, set: 'app', ...raw })

test('a snapshot is pinned by its id or as the latest, and unpinned, and its tags stay through that', async () => {
  expect((await dispatched('tag', given({ snapshot: id, tags: 'weekly\nrelease=1.4' }))).result).toMatchObject({ snapshot: id, pinned: false, tags: ['weekly', 'release=1.4'] })
  const { result, text } = await dispatched('pin', given({ snapshot: 'latest' }))
  expect(result).toMatchObject({ snapshot: id, set: 'app', pinned: true, tags: ['weekly', 'release=1.4'] })
  expect(text).toContain(`Snapshot ${id} of set app is pinned, tagged #weekly #release=1.4`)
  expect((await dispatched('tag', given({ snapshot: id, tags: 'monthly', remove: 'weekly' }))).result).toMatchObject({ pinned: true, tags: ['release=1.4', 'monthly'] })
  expect((await dispatched('unpin', given({ snapshot: id }))).result).toMatchObject({ pinned: false, tags: ['release=1.4', 'monthly'] })
  expect((await dispatched('list', given())).result.snapshots).toMatchObject([{ id, pinned: false, tags: ['release=1.4', 'monthly'] }])
})

test('a write key labels as well; another key does not', async () => {
  expect((await dispatched('pin', given({ snapshot: id, 'encryption-key': await writeKeyOf(identity, undefined) }))).result.pinned).toBe(true)
  expect((await dispatched('list', given())).warnings).toEqual([])
  expect(await refusal(dispatched('unpin', given({ snapshot: id, 'encryption-key': otherKeys.identity! })))).toContain('was written with the key')
})

test.each<[string, 'pin' | 'tag', Record<string, string>, string]>([
  ['no snapshot of that id', 'pin', { snapshot: '20261120T020000Z-ffffffff' }, 'has no snapshot 20261120T020000Z-ffffffff'],
  ['no tag', 'tag', { snapshot: 'latest' }, 'no tag is given'],
  ['a tag that is none', 'tag', { snapshot: 'latest', tags: '#weekly' }, '"#weekly" is not a tag'],
  ['artifacts', 'pin', { snapshot: 'latest', destination: 'artifact', token: 'x' }, 'backups in artifacts can be neither pinned nor tagged'],
])('%s is refused', async (_, command, raw, message) => {
  expect(await refusal(dispatched(command, given(raw)))).toContain(message)
})

test('a snapshot that is pruned while it is pinned is not said to be pinned, and nothing of it is left', async () => {
  const store = new FileStore(folder)
  // Between the reading of the snapshot and the writing of its labels, another run deletes it.
  const pruned = through(store, async (operation, key, perform) => {
    if (operation === 'put' && key === labelsKey('app', id)) await store.delete(snapshotKey('app', id))
    return perform()
  })
  await expect(label(pruned, keys, 'app', { kind: 'id', id }, () => ({ pinned: true, tags: null }), () => undefined)).rejects.toThrow(`snapshot ${id} was deleted while it was labelled`)
  expect(existsSync(path.join(folder, labelsKey('app', id)))).toBe(false)
})

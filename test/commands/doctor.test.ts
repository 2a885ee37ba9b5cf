import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { judgeSpace } from '../../src/commands/doctor/doctor.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { backUp } from '../support/engine.ts'
import { dispatched } from '../support/dispatched.ts'

test('each of several destinations is tried', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-doctor-'))
  try {
    writeFileSync(path.join(folder, 'other'), 'in the way')
    const [one, other] = ['one', 'other'].map((name) => `file:${folder}/${name}`)
    const { result } = await dispatched('doctor', { destination: `${one}\n${other}` })
    const bad = result.checks.filter(({ state }) => state === 'bad')
    expect(new Set(result.checks.map(({ about }) => about))).toEqual(new Set([one, other]))
    expect(new Set(bad.map(({ about }) => about))).toEqual(new Set([other]))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a destination without a backup is warned of, if another has some', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-doctor-'))
  try {
    const [one, other] = ['one', 'other'].map((name) => `file:${folder}/${name}`)
    const store = new FileStore(path.join(folder, 'one'))
    await openOrMakeRepository(store)
    await backUp({ store, set: 'app' }, { app: noise('app', 1000) })
    const { result, text } = await dispatched('doctor', { destination: `${one}\n${other}` })
    expect(result.checks.filter(({ check }) => check === 'backups')).toMatchObject([{ about: other, state: 'warning', says: `there are none, and ${one} has some` }])
    expect(text).toContain(`lifeboat copy --from ${one} --destination ${other}`)
    expect((await dispatched('doctor', { destination: one! })).result.checks.filter(({ check }) => check === 'backups')).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a destination in which a first backup may not fit is warned of; without a database its free space is told alone', () => {
  expect(judgeSpace('file:/b', 3e9, 3e9)).toEqual({
    about: 'file:/b', check: 'space', state: 'good',
    says: '3.00 GB free; a first backup of these databases usually stores up to 1.00 GB, and up to 3.00 GB if most of it is compressed or encrypted already; later ones store what changed',
  })
  expect(judgeSpace('file:/b', 2.9e9, 3e9)).toMatchObject({ state: 'warning', fix: expect.stringContaining('Free some space') })
  expect(judgeSpace('file:/b', 1e9, 0)).toMatchObject({ state: 'good', says: '1.00 GB free' })
})

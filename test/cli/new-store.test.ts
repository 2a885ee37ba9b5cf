import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../src/repository/keys.ts'
import { type Ended, runLifeboat } from '../support/terminal-program.ts'

let folder: string
let identity: string
beforeAll(async () => {
  identity = (await newIdentity()).identity
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-new-store-'))
  mkdirSync(path.join(folder, 'files'))
  writeFileSync(path.join(folder, 'files/a.txt'), 'a')
})
afterAll(() => rmSync(folder, { recursive: true }))

const lifeboat = (...args: string[]): Promise<Ended> =>
  runLifeboat(args, { PATH: process.env['PATH'], TMPDIR: folder, LIFEBOAT_ENCRYPTION_KEY: identity })
const backUp = (destination: string, ...more: string[]): Promise<Ended> =>
  lifeboat('backup', '--destination', destination, '--volumes', `files=${path.join(folder, 'files')}`, ...more)

test('a backup that makes a store says so, with its key; the next one does not', async () => {
  const store = path.join(folder, 'store')
  const { status, out, err } = await backUp(store)
  expect([status, err]).toEqual([0, ''])
  expect(out).toMatch(new RegExp(`^ {2}new store +file:${store} had no backups before, and opens with the key of fingerprint [0-9a-f]{16}$`, 'm'))
  const next = await backUp(store)
  expect(next.status).toBe(0)
  expect(next.err + next.out).not.toContain('new store')
})

test('a store in a folder with other files is refused, by doctor as well, and nothing is written there, unless --create is given', async () => {
  const uploads = path.join(folder, 'uploads')
  mkdirSync(path.join(uploads, 'docs'), { recursive: true })
  mkdirSync(path.join(uploads, 'lost+found'))
  writeFileSync(path.join(uploads, '.hidden'), '')
  // None of these counts.
  expect((await lifeboat('doctor', '--destination', uploads)).out).not.toContain('other files')
  writeFileSync(path.join(uploads, 'docs/a.txt'), 'a')
  const refused = await backUp(uploads)
  expect([refused.status, refused.out]).toEqual([1, ''])
  expect(refused.err).toContain(`there is no store in file:${uploads} yet, and the folder has other files: docs\n`)
  expect(refused.err).toContain('have the backup or copy make it among these files with --create')
  expect((await lifeboat('copy', '--from', path.join(folder, 'store'), '--destination', uploads)).err).toContain('other files')
  expect((await lifeboat('doctor', '--destination', uploads)).out).toContain('the folder has other files: docs')
  expect(readdirSync(uploads).filter((name) => !['docs', 'lost+found', '.hidden', '.incoming', 'doctor'].includes(name))).toEqual([])

  expect((await backUp(uploads, '--create')).status).toBe(0)
  // Now it is a store, whatever else is in it.
  expect((await backUp(uploads)).status).toBe(0)
})

test('a store in a folder that is missing is refused, by doctor as well, and nothing is made, unless --create is given', async () => {
  const store = path.join(folder, 'disk/backups/store')
  const refused = await backUp(store)
  expect([refused.status, refused.out]).toEqual([1, ''])
  expect(refused.err).toContain(`there is no store in file:${store} yet, and the folder ${path.dirname(store)}, where it would be made, is missing\n`)
  expect(refused.err).toContain('--create')
  expect((await lifeboat('doctor', '--destination', store)).out).toContain(`the folder ${path.dirname(store)}, where it would be made, is missing`)
  const copied = await lifeboat('copy', '--from', path.join(folder, 'store'), '--destination', store)
  expect(copied).toMatchObject({ status: 1, err: expect.stringContaining('is missing') })
  expect(existsSync(path.join(folder, 'disk'))).toBe(false)

  const { newStore } = JSON.parse((await backUp(store, '--create', '--json')).out).destinations[0]
  expect(newStore).toEqual({ key: expect.stringMatching(/^[0-9a-f]{16}$/) })
  expect((await lifeboat('copy', '--from', store, '--destination', path.join(folder, 'other/copy'), '--create')).out).toContain('other/copy, a new store, in ')
})

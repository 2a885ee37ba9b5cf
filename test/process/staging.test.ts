import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { removeFolder } from '../../src/process/staging.ts'
import { OTHER } from '../support/other-user.ts'

const folder = mkdtempSync(path.join(os.tmpdir(), 'staging-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a folder is removed by its user whatever permissions are in it, and nothing that a link leads to', () => {
  const outside = path.join(folder, 'outside')
  mkdirSync(outside)
  writeFileSync(path.join(outside, 'kept'), '')
  chmodSync(folder, 0o777)
  const staging = path.join(folder, 'staging')
  mkdirSync(path.join(staging, 'a/b'), { recursive: true })
  writeFileSync(path.join(staging, 'a/b/file'), '')
  symlinkSync(outside, path.join(staging, 'a/link'))
  for (const name of ['a/b/file', 'a/b', 'a', '']) chownSync(path.join(staging, name), OTHER, OTHER)
  for (const [name, mode] of [['a/b', 0], ['a', 0o555]] as const) chmodSync(path.join(staging, name), mode)
  process.seteuid!(OTHER)
  try {
    expect(() => rmSync(staging, { recursive: true })).toThrow('EACCES')
    removeFolder(staging)
  } finally {
    process.seteuid!(0)
  }
  expect([existsSync(staging), existsSync(path.join(outside, 'kept'))]).toEqual([false, true])
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { allTests, left, quickTests, startersOf } from '../scripts/quick-tests.ts'
import { LONGEST } from './support/longest-first.ts'

const root = path.join(import.meta.dirname, '..')

test('a test that imports support which starts a server is not quick, however far away the import is', () => {
  const files: Record<string, string> = {
    'test/a.test.ts': "import { shop } from './support/shop.ts'",
    'test/support/shop.ts': "import { startServer } from './server.ts'",
    'test/support/server.ts': "import { spawn } from 'node:child_process'",
    'test/b.test.ts': "import { text } from '../src/text.ts'",
  }
  expect(startersOf('test/a.test.ts', (name) => files[name]!)).toEqual(['test/support/server.ts'])
  expect(startersOf('test/b.test.ts', (name) => files[name]!)).toEqual([])
})

test.each(['postgres-server', 'docker', 'ceph', 'ssh-server', 'sftp-servers', 'webdav-server', 'pgbouncer', 'apt-repository', 'github/azurite', 'github/emulator', 'client-programs', 'recover-script'])(
  'no quick test reaches support/%s',
  (name) => {
    const file = `test/support/${name}.ts`
    expect(startersOf(file)).not.toEqual([])
    const reaching = quickTests().filter((test) => readFileSync(path.join(root, test), 'utf8').includes(`support/${name}.ts'`))
    expect(reaching).toEqual([])
  },
)

test('a good part of the tests is quick, and those that are left out exist', () => {
  expect(quickTests().length).toBeGreaterThan(allTests().length / 4)
  for (const file of Object.keys(left)) expect([file, existsSync(path.join(root, file)), startersOf(file)]).toEqual([file, true, []])
  expect(readdirSync(path.join(root, 'test/support')).length).toBeGreaterThan(20)
})

test('the tests that begin first exist', () => {
  expect(allTests()).toEqual(expect.arrayContaining(LONGEST.map((name) => `test/${name}.test.ts`)))
})

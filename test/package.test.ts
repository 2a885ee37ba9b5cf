import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { makePackage, publishedManifest, release, requirePublishable } from '../scripts/package.ts'
import { named } from '../scripts/release-name.ts'
import { newIdentity } from '../src/repository/keys.ts'
import { builtProgram } from './end-to-end/built.ts'
import { clientDirectory } from './support/client-programs.ts'
import { startServer } from './support/postgres-server.ts'

const root = path.join(import.meta.dirname, '..')
const packed = z.tuple([z.object({ filename: z.string(), size: z.number(), unpackedSize: z.number(), files: z.array(z.object({ path: z.string(), size: z.number() })) })])

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-package-'))
  makePackage(path.join(folder, 'package'), builtProgram())
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs npm or npx, which write nowhere else. Nothing is fetched. */
function run(program: 'npm' | 'npx', args: readonly string[], { at, variables = {} }: { at: string; variables?: Record<string, string> }): string {
  const environment = {
    HOME: folder, npm_config_cache: path.join(folder, 'cache'), npm_config_offline: 'true', npm_config_fund: 'false', npm_config_audit: 'false',
    npm_config_update_notifier: 'false', PATH: [clientDirectory(17), process.env['PATH']].join(path.delimiter), ...variables,
  }
  return execFileSync(program, args, { cwd: at, env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

test('the package has the program for terminals, the licence, the README and the pages, and nothing that must be installed', () => {
  const [{ size, unpackedSize, files }] = packed.parse(JSON.parse(run('npm', ['pack', '--dry-run', '--json'], { at: path.join(folder, 'package') })))
  const names = files.map(({ path }) => path)
  const kinds = names.map((name) => name.replace(/^dist\/part-\w+\.js$/, 'dist/PART').replace(/^dist\/(?:\w+-)?thread\.js$/, 'dist/THREAD').replace(/^docs\/(?:schema\/)?[\w.-]+\.(?:md|json)$/, 'docs/PAGE'))
  expect([...new Set(kinds)].toSorted()).toEqual(
    ['LICENSE', 'README.md', 'dist/PART', 'dist/cli.js', 'dist/licenses.txt', 'dist/package.json', 'dist/start.js', 'dist/terminal.js', 'dist/THREAD', 'docs/PAGE', 'package.json'].toSorted(),
  )
  expect(size).toBeLessThan(3e6)
  expect(unpackedSize).toBeLessThan(11e6)
  const manifest = publishedManifest()
  expect(Object.keys(manifest).filter((name) => /dependencies/i.test(name))).toEqual([])
  expect(manifest).toMatchObject({ engines: { node: '>=24.6' }, bin: { lifeboat: 'dist/cli.js' }, publishConfig: { access: 'public', provenance: true } })
})

test('the package of the repository itself cannot be published, and what has no place at GitHub is no release', () => {
  expect(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))).toMatchObject({ private: true })
  expect(() => requirePublishable(path.join(folder, 'package'))).toThrow('the repository has no place at GitHub yet')
  const placed = path.join(folder, 'placed')
  makePackage(placed, builtProgram())
  const texts = readdirSync(placed, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(md|json|js)$/.test(file))
  for (const file of texts) writeFileSync(path.join(placed, file), named(readFileSync(path.join(placed, file), 'utf8'), 'octo/lifeboat'))
  expect(() => requirePublishable(placed)).not.toThrow()
  // The program itself writes the repository's place into workflows.
  const program = path.join(placed, 'dist/terminal.js')
  writeFileSync(program, `${readFileSync(program, 'utf8')}\n// ${['OWNER', 'lifeboat'].join('/')}\n`)
  expect(() => requirePublishable(placed)).toThrow('dist/terminal.js')
  writeFileSync(program, named(readFileSync(program, 'utf8'), 'octo/lifeboat'))
  const manifest = (): unknown => JSON.parse(readFileSync(path.join(placed, 'package.json'), 'utf8'))
  expect(manifest()).toMatchObject({ private: true })
  release(placed)
  expect(manifest()).toEqual(publishedManifest())
})

test('the README runs the package that is published, whose scope belongs to the owner of the repository', () => {
  for (const name of ['octo/lifeboat', 'Octo-Org/LifeBoat']) {
    const text = (file: string): string => named(readFileSync(path.join(root, file), 'utf8'), name)
    const [, scope] = /^const placeOfRepository = '(.*)'$/m.exec(text('scripts/package.ts'))!
    for (const file of ['README.md', 'docs/start.md']) expect(text(file)).toContain(`npx @${scope!.toLowerCase()} init\n`)
    expect(text('.github/workflows/release.yml')).toContain(`npm view "@${scope!.toLowerCase()}@`)
  }
  expect(publishedManifest()['name']).toBe(`@${['OWNER', 'lifeboat'].join('/')}`.toLowerCase())
  for (const file of ['README.md', 'docs/start.md']) expect(readFileSync(path.join(root, file), 'utf8')).not.toMatch(/npx lifeboat/)
})

test('npx runs it from a fresh folder: the version, the help, and a backup', async () => {
  run('npm', ['pack', '--pack-destination', folder], { at: path.join(folder, 'package') })
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
  const fresh = path.join(folder, 'fresh')
  mkdirSync(fresh)
  const lifeboat = (args: readonly string[], variables: Record<string, string> = {}): string =>
    run('npx', ['--yes', `--package=${path.join(folder, tarball)}`, '--', 'lifeboat', ...args], { at: fresh, variables })
  expect(lifeboat(['--version']).trim()).toBe(publishedManifest()['version'])
  expect(lifeboat(['help'])).toContain('Usage: lifeboat <command>')
  const server = await startServer(17)
  try {
    await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 1000) g')
    const { identity } = await newIdentity()
    const store = path.join(folder, 'store')
    const result = lifeboat(['backup', '--json', '--verify', 'read', '--destination', store], { DATABASE_URL: server.url(), LIFEBOAT_ENCRYPTION_KEY: identity })
    expect(JSON.parse(result)).toMatchObject({ verified: 'read' })
    expect(existsSync(path.join(store, 'lifeboat.json'))).toBe(true)
  } finally {
    await server.stop()
  }
})

describe('the Dockerfile', () => {
  const text = readFileSync(path.join(root, 'Dockerfile'), 'utf8')
  const lines = text.replaceAll(/^#.*\n/gm, '').replaceAll('\\\n', ' ').split('\n').filter((line) => line.trim() !== '')
  const of = (instruction: string): string[] => lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1).trim())

  test('begins with an image that is pinned by its digest', () => {
    expect(lines[0]).toMatch(/^FROM node:24-[\w-]+@sha256:[0-9a-f]{64}$/)
    expect(of('FROM')).toHaveLength(1)
  })

  test('copies only what is there, and what .dockerignore lets through', () => {
    const ignored = readFileSync(path.join(root, '.dockerignore'), 'utf8').trim().split('\n')
    expect(ignored[0]).toBe('*')
    const sources = of('COPY').map((line) => line.split(/\s+/)[0]!)
    expect(sources.toSorted()).toEqual(ignored.slice(1).map((line) => line.replace('!', '')).toSorted())
    for (const source of sources) expect(statSync(path.join(root, source))).toBeDefined()
    expect(statSync(path.join(root, 'dist/cli.js')).mode & 0o111).not.toBe(0)
  })

  test('installs without recommended packages and leaves no lists, has labels, no health check, and a user who is not root', () => {
    for (const run of of('RUN').filter((line) => line.includes('apt-get install'))) {
      expect(run.startsWith('set -eu;')).toBe(true)
      for (const install of run.match(/apt-get install[^;]*/g)!) expect(install).toContain('--yes --no-install-recommends')
      expect(run).toMatch(/rm -rf \/var\/lib\/apt\/lists\/\*$/)
      for (const major of [14, 15, 16, 17, 18]) expect(run).toContain(`postgresql-client-${major}`)
    }
    for (const label of ['title', 'description', 'licenses', 'source']) expect(of('LABEL').join(' ')).toContain(`org.opencontainers.image.${label}=`)
    expect(of('HEALTHCHECK')).toEqual(['NONE'])
    const [user, entry] = [lines.findIndex((line) => line.startsWith('USER ')), lines.findIndex((line) => line.startsWith('ENTRYPOINT '))]
    expect(of('USER')).toEqual(['1000:1000'])
    expect(user).toBeLessThan(entry)
    expect(lines.slice(user).filter((line) => /^(RUN|COPY|ADD) /.test(line))).toEqual([])
    for (const exec of [...of('ENTRYPOINT'), ...of('CMD')]) expect(Array.isArray(JSON.parse(exec))).toBe(true)
    expect(text).not.toMatch(/^(ADD|ENV|ARG) /m)
  })
})

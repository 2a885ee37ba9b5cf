import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'
import { renewed } from '../../../scripts/renew-images.ts'
import { exactName } from '../../../src/sources/postgres/client-download/image.ts'
import { NEWEST_PINNED, officialImage } from '../../../src/sources/postgres/client-download/official-images.ts'
import { listening } from '../../support/free-port.ts'

const root = path.join(import.meta.dirname, '../../..')
const digest = (character: string): string => `sha256:${character.repeat(64)}`

test('the official images of the majors that are tested are pinned, each by a digest of its own; a newer one has its tag', () => {
  const images = [14, 15, 16, 17, 18].map((major) => officialImage(major))
  images.forEach((image, at) => expect(image).toMatch(new RegExp(`^postgres:${14 + at}@sha256:[0-9a-f]{64}$`)))
  expect(new Set(images.map((image) => image.split('@')[1])).size).toBe(5)
  expect([NEWEST_PINNED, officialImage(19)]).toEqual([18, 'postgres:19'])
})

test.each(['workflows-examples/weekly-drill.yml', '.github/workflows/ci.yml'])('%s runs the pinned images', (file) => {
  const images = [...readFileSync(path.join(root, file), 'utf8').matchAll(/^ +image: (postgres:.*)$/gm)].map(([, image]) => image!)
  expect(images.length).toBeGreaterThan(0)
  for (const image of images) expect(image).toBe(officialImage(17))
})

test.each<[string, string, string, string]>([
  ['given with a digest', `a/b:1@${digest('1')}`, `["a/b@${digest('2')}"] ${digest('3')}`, `a/b:1@${digest('1')}`],
  ['of its own repository', 'a/b:1', `["x@${digest('1')}","a/b@${digest('2')}"] ${digest('3')}`, `a/b@${digest('2')}`],
  ['of a registry with a port', 'localhost:5000/b', `["localhost:5000/b@${digest('2')}"] ${digest('3')}`, `localhost:5000/b@${digest('2')}`],
  ['with its whole name', 'postgres:17', `["docker.io/library/postgres@${digest('2')}"] ${'3'.repeat(64)}`, `docker.io/library/postgres@${digest('2')}`],
  ['from no registry', 'mine', `[] ${digest('3')}\n`, digest('3')],
  ['from no registry, as podman says it', 'mine', `null ${'3'.repeat(64)}\n`, '3'.repeat(64)],
  ['of which nothing is said', 'mine:1', '', 'mine:1'],
])('the exact name of an image %s', (_, image, inspected, exact) => {
  expect(exactName(image, inspected)).toBe(exact)
})

test('digests are renewed by major, in tables and in workflows, and the table gets the date', () => {
  const text = `// Of 2026-09-19, from elsewhere.\n17: 'postgres:17@${digest('1')}',\n  image: postgres:16@${digest('2')}\n`
  const present = new Map([['17', digest('3')]])
  expect(renewed(text, present, '2027-01-02')).toBe(`// Of 2027-01-02, from the registry.\n17: 'postgres:17@${digest('3')}',\n  image: postgres:16@${digest('2')}\n`)
  expect(renewed(text, new Map([['17', digest('1')]]), '2027-01-02')).toBe(text)
})

test('the registry is asked whether it has the pinned images, and one that it lacks is an error', async () => {
  const asked: string[] = []
  let status = 200
  const server = createServer(({ method, url = '', headers }, answer) => {
    if (url === '/token') {
      answer.end('{"token":"anonymous"}')
      return
    }
    asked.push(`${method} ${url.replace(/[0-9a-f]{64}$/, '…')} ${headers.authorization}`)
    answer.writeHead(status, { 'docker-content-digest': url.split('/').at(-1), 'content-type': 'application/vnd.oci.image.index.v1+json' }).end()
  })
  const REGISTRY = `http://127.0.0.1:${await listening(server)}`
  const check = (): Promise<unknown> => promisify(execFile)(process.execPath, ['scripts/renew-images.ts', '--check'], {
    cwd: root, env: { PATH: process.env.PATH, REGISTRY, REGISTRY_TOKENS: `${REGISTRY}/token` },
  })
  try {
    await check()
    expect(asked).toEqual(Array.from({ length: 5 }, () => 'HEAD /v2/library/postgres/manifests/sha256:… Bearer anonymous'))
    status = 404
    await expect(check()).rejects.toThrow(/the registry has no image of several platforms at postgres sha256:[0-9a-f]{64} \(status 404\)/)
  } finally {
    server.close()
  }
})

// Asks the registry for the digests that the tags of the official PostgreSQL images have now, and writes them into every file that pins one:
// `npm run images`. With --check it changes nothing, and fails if the registry lacks a pinned image. REGISTRY and REGISTRY_TOKENS are the
// addresses of another registry, for tests.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

const root = path.join(import.meta.dirname, '..')
const TABLE = 'src/sources/postgres/client-download/official-images.ts'
const FILES = [TABLE, 'workflows-examples/weekly-drill.yml', '.github/workflows/ci.yml']
const PINNED = /\bpostgres:(\d+)@(sha256:[0-9a-f]{64})/g
const INDEXES = 'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json'

const registry = process.env.REGISTRY ?? 'https://registry-1.docker.io'
const tokens = process.env.REGISTRY_TOKENS ?? 'https://auth.docker.io/token?service=registry.docker.io&scope=repository:library/postgres:pull'

/** The digest of a tag, or of a digest that is there: that of all its platforms. */
async function digestOf(reference: string, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, accept: INDEXES }
  const answer = await fetch(`${registry}/v2/library/postgres/manifests/${reference}`, { method: 'HEAD', headers })
  const digest = answer.headers.get('docker-content-digest') ?? ''
  if (answer.ok && /^sha256:[0-9a-f]{64}$/.test(digest) && INDEXES.includes(answer.headers.get('content-type') ?? 'none')) return digest
  throw new Error(`the registry has no image of several platforms at postgres ${reference} (status ${answer.status})`)
}

/** `text` with the digests in `present`, by major. Pure. */
export function renewed(text: string, present: ReadonlyMap<string, string>, date: string): string {
  const changed = text.replaceAll(PINNED, (pinned, major: string) => `postgres:${major}@${present.get(major) ?? pinned.split('@')[1]}`)
  return changed === text ? text : changed.replace(/^\/\/ Of \d{4}-\d\d-\d\d, from .*$/m, `// Of ${date}, from the registry.`)
}

async function main(): Promise<void> {
  const { token } = z.looseObject({ token: z.string() }).parse(await (await fetch(tokens)).json())
  const pinned = [...readFileSync(path.join(root, TABLE), 'utf8').matchAll(PINNED)].map(([, major = '', digest = '']) => ({ major, digest }))
  if (process.argv.includes('--check')) {
    for (const { digest } of pinned) await digestOf(digest, token)
    return
  }
  const present = new Map<string, string>()
  for (const { major, digest } of pinned) {
    present.set(major, await digestOf(major, token))
    console.log(`postgres:${major}: ${present.get(major) === digest ? 'as before' : `${digest} -> ${present.get(major)}`}`)
  }
  for (const file of FILES) {
    const text = readFileSync(path.join(root, file), 'utf8')
    writeFileSync(path.join(root, file), renewed(text, present, new Date().toISOString().slice(0, 10)))
  }
  console.log('Now: npm run generate')
}

if (import.meta.main) await main()

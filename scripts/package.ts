// Makes the folder of the npm package: `package.ts [folder] [dist]`, default build/package out of dist. It has the program for terminals alone,
// and a package.json of its own: everything is in the bundle, so that nothing else is installed. The package.json of the repository stays
// private, and publishes nothing by accident: nor does the folder, but with --release, which refuses what must not be published.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const root = path.join(import.meta.dirname, '..')
const placeOfRepository = 'OWNER/lifeboat'

const own = z.looseObject({
  version: z.string(), description: z.string(), license: z.string(), engines: z.record(z.string(), z.string()), bin: z.record(z.string(), z.string()),
})

/** The package.json that is published. */
export function publishedManifest(): Record<string, unknown> {
  const { version, description, license, engines, bin } = own.parse(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')))
  return {
    // Under a scope, so that nobody else can publish a program under the name that the README tells people to run. npm has small letters alone.
    name: `@${placeOfRepository.toLowerCase()}`,
    version,
    description,
    keywords: ['postgresql', 'postgres', 'backup', 'restore', 'pg_dump', 'encryption', 'age', 'deduplication'],
    license,
    repository: { type: 'git', url: `git+https://github.com/${placeOfRepository}.git` },
    type: 'module',
    engines,
    bin,
    files: ['dist', 'docs'],
    // npm runs it before it packs: a program that does not start is not packed.
    scripts: { prepack: 'node dist/cli.js --version 1>&2' },
    publishConfig: { access: 'public', provenance: true },
  }
}

/** The files of dist that the program for terminals loads, and what belongs to them. */
export function filesOfTerminal(dist: string): string[] {
  const found = new Set<string>()
  const visit = (name: string): void => {
    if (found.has(name)) return
    found.add(name)
    const text = readFileSync(path.join(dist, name), 'utf8')
    for (const [, next] of text.matchAll(/["']\.\/([\w.-]+\.js)["']/g)) if (existsSync(path.join(dist, next!))) visit(next!)
  }
  // Threads are started by a name that is put together when they are.
  for (const entry of ['cli.js', 'thread.js', 'upload-thread.js']) visit(entry)
  return [...found, 'package.json', 'licenses.txt']
}

/** Lets npm publish the folder. Throws if it is not what may be published. */
export function release(folder: string): void {
  requirePublishable(folder)
  writeManifest(folder, publishedManifest())
}

/** Throws if the folder is not what may be published. */
export function requirePublishable(folder: string): void {
  const named = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:md|json|js)$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file, 'utf8').includes(['OWNER', 'lifeboat'].join('/')))
  if (named.length > 0) throw new Error(`the repository has no place at GitHub yet (npm run release:name): ${named.join(', ')}`)
}

function writeManifest(folder: string, manifest: Record<string, unknown>): void {
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Pages without pictures, and without the figures of the benchmarks. */
function isPage(file: string): boolean {
  return path.basename(file) !== 'benchmarks' && (statSync(file).isDirectory() || /\.(?:md|json)$/.test(file))
}

/** Makes the folder. npm publishes it only after `release`. */
export function makePackage(folder: string, dist: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const file of filesOfTerminal(dist)) cpSync(path.join(dist, file), path.join(folder, 'dist', file))
  for (const file of ['LICENSE', 'README.md']) cpSync(path.join(root, file), path.join(folder, file))
  cpSync(path.join(root, 'docs'), path.join(folder, 'docs'), { recursive: true, filter: isPage })
  writeManifest(folder, { private: true, ...publishedManifest() })
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { release: { type: 'boolean', default: false } }, allowPositionals: true })
  const [folder = path.join(root, 'build/package'), dist = path.join(root, 'dist')] = positionals.map((one) => path.resolve(one))
  makePackage(folder, dist)
  if (values.release) release(folder)
  console.log(folder)
}

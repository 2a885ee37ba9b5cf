import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'

const checkout = path.join(import.meta.dirname, '../..')
const cache = path.join(checkout, '.cache/built')

/** The folder with the program as the sources build it now, whatever dist holds; built once for each state of them. */
export function builtProgram(): string {
  return (built ??= build())
}

let built: string | undefined

/** For the environment of the program: Node keeps the code that it compiled, which saves each run a seventh of its CPU time. */
export function keepingCompiled(): { NODE_COMPILE_CACHE: string } {
  return { NODE_COMPILE_CACHE: `${builtProgram()}-compiled` }
}

function build(): string {
  const folder = path.join(cache, stateOfSources())
  if (existsSync(folder)) return folder
  const work = mkdtempSync(path.join(checkout, '.cache/building-'))
  try {
    execFileSync(process.execPath, [path.join(checkout, 'scripts/build.ts'), path.join(work, 'dist')], { stdio: ['ignore', 'ignore', 'inherit'] })
    mkdirSync(cache, { recursive: true })
    removeOld()
    // Another test file may have built the same meanwhile.
    if (!existsSync(folder)) renameSync(path.join(work, 'dist'), folder)
  } finally {
    rmSync(work, { recursive: true })
  }
  return folder
}

/** Builds of earlier states, but for those that tests which are running now may have begun with. */
function removeOld(): void {
  for (const name of readdirSync(cache)) {
    const build = path.join(cache, name)
    if (Date.now() - statSync(build).mtimeMs > 3_600_000) rmSync(build, { recursive: true, force: true })
  }
}

function stateOfSources(): string {
  const sources = readdirSync(path.join(checkout, 'src'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const files = [...sources.map((entry) => path.join(entry.parentPath, entry.name)).toSorted(), ...['package-lock.json', 'tsconfig.json', 'scripts/build.ts'].map((name) => path.join(checkout, name))]
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${path.relative(checkout, file)}\0`).update(readFileSync(file)).update('\0')
  return hash.digest('hex').slice(0, 16)
}

// Compiles src, bundles it with ncc into one file, and writes an entry per action and one for the terminal: `build.ts [folder]`, default dist.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { actions } from '../src/commands/all.ts'

const root = path.join(import.meta.dirname, '..')
const target = path.resolve(process.argv[2] ?? path.join(root, 'dist'))
mkdirSync(path.join(root, 'build'), { recursive: true })
// Inside the repository, where node_modules is found; each build has a folder of its own, and the target is replaced only in the end.
const work = mkdtempSync(path.join(root, 'build', 'run-'))
const run = (name: string, ...args: string[]) =>
  execFileSync(path.join(root, 'node_modules/.bin', name), args, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] })

/** Parts of ssh2 that npm compiles where it finds a compiler; without them it uses node:crypto, so the bundle is the same everywhere. */
const NATIVE = ['cpu-features', './crypto/build/Release/sshcrypto.node']

try {
  run('tsc', '-p', path.join(root, 'tsconfig.build.json'), '--outDir', 'compiled')
  run('ncc', 'build', 'compiled/main.js', '--out', 'bundle', '--license', 'licenses.txt', '--target', 'es2024', '--no-cache', ...NATIVE.flatMap((name) => ['--external', name]))
  run('ncc', 'build', 'compiled/repository/sealing/thread.js', '--out', 'thread', '--target', 'es2024', '--no-cache')
  const bundle = path.join(work, 'bundle')
  cpSync(path.join(work, 'thread/index.js'), path.join(bundle, 'thread.js'))
  for (const action of actions) {
    writeFileSync(path.join(bundle, `${action}.js`), `import { runAction } from './index.js'\nawait runAction('${action}')\n`)
  }
  writeFileSync(path.join(bundle, 'post.js'), `import { runPost } from './index.js'\nawait runPost()\n`)
  writeFileSync(path.join(bundle, 'cli.js'), `#!/usr/bin/env node\nimport { runTerminal } from './index.js'\nawait runTerminal()\n`, { mode: 0o755 })

  // index.js is what every entry loads; the others are parts that it loads when they are needed, and what its threads do.
  const parts = readdirSync(bundle).filter((name) => name.endsWith('index.js') || name === 'thread.js').toSorted((a, b) => b.localeCompare(a, 'en'))
  for (const part of parts) {
    const code = readFileSync(path.join(bundle, part), 'utf8')
    if (code.includes(root)) throw new Error(`${part} names a folder of this machine`)
    // A CommonJS name that ssh2's WebAssembly asks for, and that a module does not have.
    writeFileSync(path.join(bundle, part), code.replaceAll(/(?<![\w.$])__dirname\b/g, 'import.meta.dirname'))
  }
  // For PuTTY's agent, which Windows alone has, and never asked for.
  rmSync(path.join(bundle, 'pagent.exe'), { force: true })
  const native = readdirSync(bundle, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.node'))
  if (native.length > 0) throw new Error(`the bundle has parts compiled for this machine: ${native.join(', ')}`)
  rmSync(target, { recursive: true, force: true })
  cpSync(bundle, target, { recursive: true })
  for (const part of parts) console.log(`${path.join(path.relative(root, target), part)} ${(statSync(path.join(target, part)).size / 1024).toFixed(0)} KiB`)
} finally {
  rmSync(work, { recursive: true, force: true })
}

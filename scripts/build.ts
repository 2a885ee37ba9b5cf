// Compiles src, bundles it with ncc into one file, and writes an entry per action and one for the terminal.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')
const bin = (name: string) => path.join(root, 'node_modules/.bin', name)
const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })

rmSync(path.join(root, 'build'), { recursive: true, force: true })
rmSync(path.join(root, 'dist'), { recursive: true, force: true })
run(bin('tsc'), '-p', 'tsconfig.build.json')
mkdirSync(path.join(root, 'dist'))
run(bin('ncc'), 'build', 'build/main.js', '--out', 'dist', '--license', 'licenses.txt', '--target', 'es2024', '--no-cache')

for (const action of ['backup', 'restore', 'verify', 'list']) {
  writeFileSync(path.join(root, 'dist', `${action}.js`), `import { runAction } from './index.js'\nawait runAction('${action}')\n`)
}
writeFileSync(path.join(root, 'dist/cli.js'), `#!/usr/bin/env node\nimport { runTerminal } from './index.js'\nawait runTerminal()\n`, { mode: 0o755 })

const bundle = path.join(root, 'dist/index.js')
if (/\b\/work\/|node_modules\/\.cache/.test(readFileSync(bundle, 'utf8'))) throw new Error('the bundle names a folder of this machine')
console.log(`dist/index.js ${(statSync(bundle).size / 1024).toFixed(0)} KiB`)

// Bundles src with esbuild, and writes an entry per action and one for the terminal: `build.ts [folder]`, default dist.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { build, type Metafile } from 'esbuild'
import { z } from 'zod'
import { actions } from '../src/commands/all.ts'
import { licensesText } from './licenses.ts'

const described = z.object({
  name: z.string(), license: z.string().default(''), author: z.union([z.string(), z.object({ name: z.string() })]).optional(),
})
const NOT_NEEDED = /node_modules\/(?:zod\/v4\/locales\/index|encoding\/lib\/encoding)\.js$/
const root = path.join(import.meta.dirname, '..')
const target = path.resolve(process.argv[2] ?? path.join(root, 'dist'))
mkdirSync(path.join(root, 'build'), { recursive: true })
// Inside the repository, and the target is replaced only in the end: a build that is interrupted leaves it as it was.
const work = mkdtempSync(path.join(root, 'build', 'run-'))

try {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      start: 'src/process/start.ts',
      action: 'src/actions/action.ts',
      after: 'src/actions/post.ts',
      terminal: 'src/cli/terminal.ts',
      thread: 'src/repository/sealing/thread.ts',
      'upload-thread': 'src/stores/artifact/upload-thread.ts',
    },
    outdir: work,
    bundle: true,
    splitting: true, // A command loads the clients of those stores and services that it meets.
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifyWhitespace: true, // The names stay, for stack traces.
    minifySyntax: true,
    legalComments: 'none', // All licences are in licenses.txt.
    chunkNames: 'part-[hash]',
    // CommonJS packages expect these names to be there.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url),__dirname=import.meta.dirname;" },
    // Parts of ssh2 that npm compiles where it finds a compiler; without them it uses node:crypto, so the bundle is the same everywhere.
    external: ['cpu-features', './crypto/build/Release/sshcrypto.node'],
    // zod's messages in fifty languages, which every command would read, and character sets of Asia, which minipass-fetch uses if there are some.
    plugins: [{ name: 'not-needed', setup: (bundle) => bundle.onLoad({ filter: NOT_NEEDED }, () => ({ contents: '' })) }],
    logLevel: 'warning',
    metafile: true,
  })
  writeFileSync(path.join(work, 'licenses.txt'), licenses(metafile))
  for (const action of actions) writeEntry(`${action}.js`, 'action', 'runAction', `'${action}'`)
  writeEntry('post.js', 'after', 'runPost')
  writeEntry('cli.js', 'terminal', 'runTerminal', '', '#!/usr/bin/env node\n')
  chmodSync(path.join(work, 'cli.js'), 0o755)
  writeFileSync(path.join(work, 'package.json'), '{\n  "type": "module"\n}\n')

  for (const name of readdirSync(work)) {
    if (readFileSync(path.join(work, name), 'utf8').includes(root)) throw new Error(`${name} names a folder of this machine`)
  }
  rmSync(target, { recursive: true, force: true })
  cpSync(work, target, { recursive: true })
  const sizes = readdirSync(target).map((name) => statSync(path.join(target, name)).size)
  console.log(`${path.relative(root, target)}: ${sizes.length} files, ${(sizes.reduce((sum, size) => sum + size) / 1e6).toFixed(1)} MB`)
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** The program is loaded after its start, which refuses a Node that would fail to load it. */
function writeEntry(file: string, module: string, run: string, argument = '', head = ''): void {
  writeFileSync(path.join(work, file), `${head}import './start.js'\nconst { ${run} } = await import('./${module}.js')\nawait ${run}(${argument})\n`)
}

/** The names and the licences of all packages that are in the bundle. */
function licenses({ inputs }: Metafile): string {
  const folders = new Set(Object.keys(inputs).flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []))
  return licensesText([...folders].map((folder) => {
    const file = readdirSync(path.join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry))
    return {
      ...described.parse(JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'))),
      text: file === undefined ? undefined : readFileSync(path.join(root, folder, file), 'utf8'),
    }
  }))
}

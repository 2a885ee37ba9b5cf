// How long `list`, `stats` and `show` take over a store of many snapshots, in a folder: the built program, started once for each.
// Run by hand: npm run bench:list -- [snapshots] [chunks of each] [folder].
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { FileStore } from '../src/stores/file/store.ts'
import { fillWithSnapshots, IDENTITY } from './snapshots.ts'

const WITHOUT_KEY = '(without a key)'

const [snapshots = 1000, chunks = 600] = process.argv.slice(2, 4).map(Number)
const folder = mkdtempSync(path.join(process.argv[4] ?? tmpdir(), 'bench-list-'))
try {
  await fillWithSnapshots(new FileStore(folder), { snapshots, chunks })
  const program = path.join(folder, 'dist', 'cli.js')
  execFileSync(process.execPath, [path.join(import.meta.dirname, '../scripts/build.ts'), path.dirname(program)], { stdio: ['ignore', 'ignore', 'inherit'] })
  for (const args of [['list'], ['list', '--retention', 'daily=30 weekly=12 monthly=12 yearly=7'], ['list', WITHOUT_KEY], ['list', '--since', '2023-03-01T00:00:00Z', '--until', '2023-03-30T00:00:00Z'], ['stats'], ['show', 'latest', '--set', 'app']]) {
    const { seconds, processor, memory } = measure(program, args)
    console.log(`${args.join(' ')}: ${seconds.toFixed(2)} s, ${processor} s of CPU time, ${memory} MiB`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function measure(program: string, args: readonly string[]): { seconds: number; processor: string; memory: string } {
  const started = performance.now()
  const env = { ...process.env, LIFEBOAT_DESTINATION: `file:${folder}`, LIFEBOAT_ENCRYPTION_KEY: args.includes(WITHOUT_KEY) ? '' : IDENTITY }
  const given = args.filter((arg) => arg !== WITHOUT_KEY)
  // GNU time writes its line after what the program says.
  const said = execFileSync('/bin/sh', ['-c', '/usr/bin/time -f "%U %S %M" "$0" "$@" 2>&1 >/dev/null', process.execPath, program, ...given], { env, encoding: 'utf8' })
  const [user = 0, system = 0, kilobytes = 0] = said.trim().split('\n').at(-1)!.split(' ').map(Number)
  return { seconds: (performance.now() - started) / 1000, processor: (user + system).toFixed(2), memory: (kilobytes / 1024).toFixed(0) }
}

// The cost of planning and carrying out a prune of a set of 10,000 snapshots in a store of 1,000,000 chunk objects, in a folder.
// Run by hand: npm run bench:scale -- [snapshots] [chunks] [folder].
// oxlint-disable-next-line import/no-unassigned-import -- the program's own settings of the process, which its memory depends on
import '../src/process/v8-flags.ts'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { prune } from '../src/commands/prune/prune.ts'
import { parseInputs } from '../src/commands/all.ts'
import { fillWithChunks, IDENTITY } from './snapshots.ts'

const NOW = Date.UTC(2026, 10, 20)
const HOUR = 3_600_000
const retention = 'daily=30 weekly=12 monthly=12 yearly=7'

const [snapshots = 10_000, chunks = 1_000_000] = process.argv.slice(2, 4).map(Number)

if (process.argv[4] === 'step') {
  await step(process.argv[5]!, process.argv.slice(6))
} else {
  const folder = mkdtempSync(path.join(process.argv[4] ?? tmpdir(), 'bench-scale-'))
  try {
    const started = performance.now()
    await fill(folder)
    console.log(`${snapshots} snapshots, ${chunks} chunk objects; made in ${((performance.now() - started) / 1000).toFixed(0)} s`)
    // Each in a process of its own, for the memory of it.
    for (const [what, ...more] of [['plan', 'dry-run'], ['delete snapshots, write trash', 'now'], ['delete chunks', 'later']] as const) {
      const child = fork(import.meta.filename, [`${snapshots}`, `${chunks}`, 'step', folder, what, ...more])
      await once(child, 'close')
      if (child.exitCode !== 0) throw new Error(`${what} ended with status ${child.exitCode}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The chunk objects are empty. */
async function fill(folder: string): Promise<void> {
  for (let byte = 0; byte < 256; byte++) mkdirSync(path.join(folder, 'chunks', byte.toString(16).padStart(2, '0')), { recursive: true })
  await fillWithChunks(folder, { snapshots, chunks, until: NOW, onChunk: (key) => writeFileSync(path.join(folder, key), '') })
}

async function step(folder: string, [what, kind]: string[]): Promise<void> {
  const started = performance.now()
  const given = { destination: `file:${folder}`, 'encryption-key': IDENTITY, set: 'app', retention, force: 'true', 'dry-run': `${kind === 'dry-run'}` }
  const now = new Date(kind === 'later' ? Date.now() + 25 * HOUR : Date.now())
  const report = { info: () => undefined, warning: console.warn, progress: () => undefined, mask: () => undefined }
  const { kept, deleted, chunks } = await prune(parseInputs('prune', given, {}), { variables: {}, signal: new AbortController().signal, temporary: folder, report, now: () => now })
  const seconds = (performance.now() - started) / 1000
  const memory = process.resourceUsage().maxRSS / 1024
  console.log(`${what}: ${seconds.toFixed(1)} s, ${memory.toFixed(0)} MiB; ${kept} kept, ${deleted} to go; chunks: ${chunks!.trashed.objects} to trash, ${chunks!.deleted.objects} deleted, ${chunks!.waiting.objects} waiting`)
}

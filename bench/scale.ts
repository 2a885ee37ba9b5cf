// npm run bench:scale -- [--folder DIR] [--write]: plans a prune of a set of 10,000 snapshots in a store of 1,000,000 chunk objects, in a folder, and carries it out.
// oxlint-disable-next-line import/no-unassigned-import -- the program's own settings of the process, which its memory depends on
import '../src/process/v8-flags.ts'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseInputs } from '../src/commands/all.ts'
import { prune } from '../src/commands/prune/prune.ts'
import { bench } from './harness.ts'
import { fillWithChunks, IDENTITY } from './snapshots.ts'

const [SNAPSHOTS, CHUNKS] = [10_000, 1_000_000]
const NOW = Date.UTC(2026, 10, 20)
const HOUR = 3_600_000
const retention = 'daily=30 weekly=12 monthly=12 yearly=7'

type Kind = 'plan' | 'now' | 'later'

if (process.argv[2] === 'step') await step(process.argv[3]!, process.argv[4] === 'plan' ? 'plan' : process.argv[4] === 'later' ? 'later' : 'now')
else {
  await bench({}, ({ work, table }) => table('prune', async (add) => {
    const folder = path.join(work, 'store')
    await fill(folder)
    // Each in a process of its own, for the memory of it.
    const steps: [string, Kind][] = [['plan', 'plan'], ['delete the snapshots, write the trash', 'now'], ['after the grace, delete the chunks', 'later']]
    for (const [scenario, kind] of steps) {
      const child = fork(import.meta.filename, ['step', folder, kind])
      const [figures]: unknown[] = await Promise.race([once(child, 'message'), once(child, 'close').then(() => { throw new Error(`${scenario} ended with status ${child.exitCode}`) })])
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `step` sends
      add(scenario, 'Lifeboat', figures as Awaited<ReturnType<typeof step>>)
      if (child.exitCode === null) await once(child, 'close')
    }
  }))
}

/** The chunk objects are empty. */
async function fill(folder: string): Promise<void> {
  for (let byte = 0; byte < 256; byte++) mkdirSync(path.join(folder, 'chunks', byte.toString(16).padStart(2, '0')), { recursive: true })
  await fillWithChunks(folder, { snapshots: SNAPSHOTS, chunks: CHUNKS, until: NOW, onChunk: (key) => writeFileSync(path.join(folder, key), '') })
}

async function step(folder: string, kind: Kind): Promise<{ seconds: number; cpuSeconds: number; peak: number }> {
  const started = performance.now()
  const given = { destination: `file:${folder}`, 'encryption-key': IDENTITY, set: 'app', retention, force: 'true', 'dry-run': `${kind === 'plan'}` }
  const now = new Date(kind === 'later' ? Date.now() + 25 * HOUR : Date.now())
  const report = { info: () => undefined, warning: console.warn, progress: () => undefined, mask: () => undefined }
  const { kept, deleted, chunks } = await prune(parseInputs('prune', given, {}), { variables: {}, signal: new AbortController().signal, temporary: folder, report, now: () => now })
  console.error(`${kept} kept, ${deleted} to go; chunks: ${chunks!.trashed.objects} to trash, ${chunks!.deleted.objects} deleted, ${chunks!.waiting.objects} waiting`)
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const figures = { seconds: (performance.now() - started) / 1000, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peak: maxRSS * 1024 }
  process.send!(figures)
  return figures
}

/* oxlint-disable unicorn/require-post-message-target-origin, typescript/no-unsafe-type-assertion -- a thread has no origin; its own file */
// The model of backups, restores and prunes in one store (test/support/backup-model.ts) over millions of steps, seed after seed: alone, in a store
// that others have as well, and with runs that differ. It can be stopped at any time and goes on where it was. Run by hand:
// npm run soak -- [steps in all] [file that keeps how far it got].
import { availableParallelism } from 'node:os'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { simulate } from '../test/support/backup-model.ts'

/** Steps of one seed: enough for snapshots to be made, pruned, freed and missed many times. */
const STEPS = 10_000

/** How far it got: all seeds up to this one. */
const kept = z.strictObject({ seeds: z.int(), steps: z.int(), done: z.record(z.string(), z.int()) })

/** Every third seed is of another kind. */
const kindOf = (seed: number) => [{}, { shared: true }, { varied: true }][seed % 3]!

if (isMainThread) await soak(Number(process.argv[2] ?? 10_000_000), process.argv[3] ?? 'soak.json')
else {
  const seed = Number(workerData)
  const done = await simulate({ seed, steps: STEPS, ...kindOf(seed) })
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort!.postMessage(done)
}

async function soak(steps: number, file: string): Promise<void> {
  const all = existsSync(file) ? kept.parse(JSON.parse(readFileSync(file, 'utf8'))) : { seeds: 0, steps: 0, done: {} }
  const began = Date.now()
  /** Of seeds after the first that has not ended. */
  const ended = new Map<number, Record<string, number>>()
  const note = (seed: number, what: Record<string, number>): void => {
    ended.set(seed, what)
    for (let done = ended.get(all.seeds + 1); done; done = ended.get(all.seeds + 1)) {
      ended.delete(++all.seeds)
      all.steps += STEPS
      for (const [name, count] of Object.entries(done)) all.done[name] = (all.done[name] ?? 0) + count
    }
    writeFileSync(`${file}.new`, `${JSON.stringify(all, null, 2)}\n`)
    renameSync(`${file}.new`, file)
    console.log(`seeds 1 to ${all.seeds}: ${all.steps.toLocaleString('en')} steps, 0 lost, ${Math.round((Date.now() - began) / 1000)} s in this run`)
  }
  const last = Math.ceil(steps / STEPS)
  let next = all.seeds + 1
  const tryAll = async (): Promise<void> => {
    for (let seed = next++; seed <= last; seed = next++) note(seed, await simulated(seed))
  }
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, tryAll))
  } catch (error) {
    writeFileSync(`${file}.failed`, String(error))
    console.error(`${String(error).slice(0, 300)}…\nAll of it: ${file}.failed`)
    process.exit(1)
  }
  console.log(JSON.stringify(all, null, 2))
}

function simulated(seed: number): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: seed })
    worker.on('message', resolve)
    worker.on('error', reject)
  })
}

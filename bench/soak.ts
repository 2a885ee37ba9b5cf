/* oxlint-disable unicorn/require-post-message-target-origin, typescript/no-unsafe-type-assertion -- a thread has no origin; its own file */
// The models of backups, restores, prunes, copies and verifications in stores (test/support/backup-model.ts) and in artifacts
// (test/support/artifact-model.ts) over millions of steps, seed after seed, in four kinds in turn. It can be stopped at any time and goes on
// where it was; several can run beside each other, with ranges of seeds and files of their own. Run by hand:
// npm run soak -- [steps in all] [file that keeps how far it got] [first seed] [threads] [steps of a seed].
import { on, once } from 'node:events'
import { availableParallelism } from 'node:os'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { z } from 'zod'

/** Starting one takes as long as a third of a seed; runs that were killed leave some memory behind. */
const SEEDS_OF_A_THREAD = 20
const KINDS = ['alone', 'shared', 'varied', 'artifacts'] as const

/** How far it got: the number of seeds that have passed, from the first on, and how often each thing was done, by kind. */
const kept = z.strictObject({ first: z.int(), seeds: z.int(), steps: z.int(), done: z.record(z.string(), z.record(z.string(), z.int())) })
type Done = Record<string, number>

interface Work {
  seed: number
  steps: number
}

interface Options {
  steps: number
  file: string
  first: number
  threads: number
  ofSeed: number
}

if (isMainThread) {
  // In 10,000 steps snapshots are made, pruned, freed and missed many times.
  const [steps = '10000000', file = 'soak.json', first = '1', threads = `${availableParallelism()}`, ofSeed = '10000'] = process.argv.slice(2)
  await soak({ steps: Number(steps), file, first: Number(first), threads: Number(threads), ofSeed: Number(ofSeed) })
} else for await (const [work] of on(parentPort!, 'message')) parentPort!.postMessage(await simulated(work as Work))

/** In a thread, for the modules of the program that this replaces are replaced in all of a process. */
async function simulated({ seed, steps }: Work): Promise<Done> {
  await import('../test/support/in-process.ts')
  const kind = kindOf(seed)
  if (kind === 'artifacts') return (await import('../test/support/artifact-model.ts')).simulateArtifacts({ seed, steps })
  return (await import('../test/support/backup-model.ts')).simulate({ seed, steps, shared: kind === 'shared', varied: kind === 'varied' })
}

function kindOf(seed: number): (typeof KINDS)[number] {
  return KINDS[seed % KINDS.length]!
}

async function soak({ steps, file, first, threads, ofSeed }: Options): Promise<void> {
  const all = existsSync(file) ? kept.parse(JSON.parse(readFileSync(file, 'utf8'))) : { first, seeds: 0, steps: 0, done: {} as Record<string, Done> }
  const began = Date.now()
  const before = all.steps
  /** Of seeds after the first that has not ended. */
  const ended = new Map<number, Done>()
  const note = (seed: number, what: Done): void => {
    ended.set(seed, what)
    for (let last = all.first + all.seeds; ended.has(last); last = all.first + all.seeds) {
      const ofKind = (all.done[kindOf(last)] ??= {})
      for (const [name, count] of Object.entries({ seeds: 1, ...ended.get(last) })) ofKind[name] = (ofKind[name] ?? 0) + count
      ended.delete(last)
      all.seeds++
      all.steps += ofSeed
    }
    writeFileSync(`${file}.new`, `${JSON.stringify(all, null, 2)}\n`)
    renameSync(`${file}.new`, file)
    const minutes = (Date.now() - began) / 60_000
    const rate = `${Math.round((all.steps - before) / minutes).toLocaleString('en')} a minute`
    console.log(`seeds ${all.first} to ${all.first + all.seeds - 1}: ${all.steps.toLocaleString('en')} steps, 0 lost, ${rate}`)
  }
  const end = all.first + Math.ceil(steps / ofSeed)
  let next = all.first + all.seeds
  const tryAll = async (): Promise<void> => {
    let thread = new Worker(new URL(import.meta.url))
    for (let seed = next++; seed < end; seed = next++) {
      note(seed, await inThread(thread, { seed, steps: ofSeed }))
      if (seed % SEEDS_OF_A_THREAD > 0) continue
      await thread.terminate()
      thread = new Worker(new URL(import.meta.url))
    }
    await thread.terminate()
  }
  try {
    await Promise.all(Array.from({ length: threads }, tryAll))
  } catch (error) {
    writeFileSync(`${file}.failed`, String(error))
    console.error(`${String(error).slice(0, 300)}…\nAll of it: ${file}.failed`)
    process.exit(1)
  }
  console.log(JSON.stringify(all, null, 2))
}

async function inThread(thread: Worker, work: Work): Promise<Done> {
  thread.postMessage(work)
  const [done] = await once(thread, 'message')
  return done as Done
}

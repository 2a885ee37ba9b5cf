import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { comesBack } from './errors.ts'

/** Milliseconds for which a server that broke off may recover. */
const PATIENCE = 60_000
const LOOK = 500

/** Tries again for a while if the server restarts meanwhile, and not after an interruption. */
export async function onceBack<T>(work: () => Promise<T>, interrupted: AbortSignal): Promise<T> {
  const began = performance.now()
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (interrupted.aborted || !comesBack(error) || performance.now() - began > PATIENCE) throw error
      await sleep(LOOK, undefined, { signal: interrupted }).catch(() => undefined)
    }
  }
}

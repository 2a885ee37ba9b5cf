import { performance } from 'node:perf_hooks'
import { formatSeconds } from '../../report/format.ts'
import type { Phases } from '../../sources/restored.ts'
import { secondsSince } from '../../process/elapsed.ts'

/** Seconds of the parts of a restore of one source. */
export interface Took extends Phases {
  /** Checking the backup, before anything was changed. */
  verify: number
  /** The backup of the target. */
  safety?: number
  /** Waiting for the store, while the rest waited for its bytes. */
  download: number
  /** Everything else until the phases that follow it. */
  restore: number
}

/** Measures the time that a restore waits for the bytes of streams. */
export class Waiting {
  #ms = 0

  async *of(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let asked = performance.now()
    for await (const piece of bytes) {
      this.#ms += performance.now() - asked
      yield piece
      asked = performance.now()
    }
    this.#ms += performance.now() - asked
  }

  seconds(): number {
    return Math.round(this.#ms) / 1000
  }
}

/** `began`: when the restore began, a reading of performance.now(). */
export function tookUntilNow(verify: number, waiting: Waiting, began: number, phases: Phases = {}): Took {
  const download = waiting.seconds()
  const later = Object.values(phases).reduce((sum, seconds) => sum + seconds, 0)
  return { verify, download, restore: Math.max(0, Math.round((secondsSince(began) - download - later) * 1000) / 1000), ...phases }
}

/** `0.4 s checking the backup, 1.2 s restoring`. */
export function tookText({ verify, safety, download, restore, indexes, count, compare, exchange }: Took): string {
  const parts: [seconds: number | undefined, what: string][] = [
    [verify, 'checking the backup'], [safety, 'safety backup'], [download, 'waiting for the store'],
    [restore, indexes === undefined ? 'restoring' : 'definitions and rows'],
    [indexes, 'indexes and keys'], [count, 'counting rows and ANALYZE'], [compare, 'comparing'], [exchange, 'the exchange'],
  ]
  return parts.flatMap(([seconds, what]) => (seconds === undefined ? [] : [`${formatSeconds(seconds)} ${what}`])).join(', ')
}

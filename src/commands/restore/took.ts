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

/** Measures the time that a restore waits for the bytes of streams: of at least one, if several are read at the same time. */
export class Waiting {
  #ms = 0
  #waiting = 0
  #since = 0

  async *of(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const pieces = bytes[Symbol.asyncIterator]()
    try {
      for (let next = await this.#timed(pieces.next()); !next.done; next = await this.#timed(pieces.next())) yield next.value
    } finally {
      await pieces.return?.()
    }
  }

  async #timed<T>(work: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#since = performance.now()
    try {
      return await work
    } finally {
      if (--this.#waiting === 0) this.#ms += performance.now() - this.#since
    }
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

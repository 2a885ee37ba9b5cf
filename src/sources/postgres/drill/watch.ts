import type { Drilled } from '../../source-kind.ts'

/** Seconds of each part of a drill; waiting for the store is a part of its own. */
export class Watch {
  readonly #parts: Record<keyof Drilled['seconds'], number> = { download: 0, restore: 0, compare: 0, checks: 0 }
  #part: keyof Drilled['seconds'] | undefined
  #since = 0

  next(part: keyof Drilled['seconds'] | undefined): void {
    const now = performance.now()
    if (this.#part !== undefined) this.#parts[this.#part] += now - this.#since
    this.#part = part
    this.#since = now
  }

  async *waiting(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const iterator = bytes[Symbol.asyncIterator]()
    try {
      for (;;) {
        const part = this.#part
        this.next('download')
        const { done, value } = await iterator.next()
        this.next(part)
        if (done) return
        yield value
      }
    } finally {
      await iterator.return?.()
    }
  }

  seconds(): Drilled['seconds'] {
    this.next(undefined)
    const { download, restore, compare, checks } = this.#parts
    return { download: rounded(download), restore: rounded(restore), compare: rounded(compare), checks: rounded(checks) }
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds) / 1000
}

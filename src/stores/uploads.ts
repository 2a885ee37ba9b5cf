/** As many as a backup has under way (repository/writer.ts). */
const MOST = 32

/**
 * How many uploads to a store go on at the same time: half as many after a connection was lost, and slowly more again while they succeed
 * (additive increase, multiplicative decrease, as in RFC 5681). On a line that drops every few seconds, many uploads at once would all be
 * lost half done.
 */
export class Uploads {
  #most = MOST
  #running = 0
  #reduced = 0
  #waiting: { start: () => void; fail: (error: unknown) => void }[] = []

  /** Waits until an upload may begin. To be told how each one ended: `lost` together with its connection. */
  async turn(): Promise<(lost: boolean) => void> {
    if (this.#running >= Math.floor(this.#most)) await new Promise<void>((start, fail) => void this.#waiting.push({ start, fail }))
    else this.#running++
    const began = performance.now()
    return (lost) => {
      this.#running--
      if (!lost) this.#most = Math.min(MOST, this.#most + 1 / this.#most)
      // Those that were under way at the same time are lost for the same reason.
      else if (began > this.#reduced) {
        this.#most = Math.max(1, this.#most / 2)
        this.#reduced = performance.now()
      }
      this.#startMore()
    }
  }

  /** An upload was given up. Those that wait would only be given up later. */
  giveUp(error: unknown): void {
    for (const { fail } of this.#waiting.splice(0)) fail(error)
  }

  #startMore(): void {
    while (this.#running < Math.floor(this.#most) && this.#waiting.length > 0) {
      this.#running++
      this.#waiting.shift()!.start()
    }
  }
}

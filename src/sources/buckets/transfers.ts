const AT_ONCE = 8
const MOST_BYTES = 32 * 1024 * 1024

/** Transfers at the same time, within limits of number and memory. */
export class Transfers {
  readonly #running = new Set<Promise<void>>()
  #failure: { error: unknown } | undefined
  #held = 0

  /** Resolves when the work has begun. `size`: bytes that it holds. Throws the error of earlier work that failed. */
  async begin(size: number, work: () => Promise<void>): Promise<void> {
    while (this.#running.size > 0 && (this.#running.size >= AT_ONCE || this.#held + size > MOST_BYTES)) await Promise.race(this.#running)
    this.#rethrow()
    this.#held += size
    const running: Promise<void> = work()
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => {
        this.#held -= size
        this.#running.delete(running)
      })
    this.#running.add(running)
  }

  /** Resolves when all work has ended. Throws if any of it failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
    this.#rethrow()
  }

  #rethrow(): void {
    if (this.#failure) throw this.#failure.error
  }
}

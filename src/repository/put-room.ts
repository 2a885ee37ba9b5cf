/** Most sealed bytes that are being put. Each object counts as a megabyte at least, so that no more than 32 are put at a time. */
const MOST_BYTES = 32 * 1024 * 1024
const LEAST_BYTES = 1024 * 1024

/** Bounds the memory of objects that are being put. */
export class PutRoom {
  #taken = 0
  readonly #waiting: (() => void)[] = []

  /** Waits until there is room for an object of so many bytes. One that is larger than all of the room has it alone. */
  async take(bytes: number): Promise<void> {
    const room = Math.max(bytes, LEAST_BYTES)
    while (this.#taken > 0 && this.#taken + room > MOST_BYTES) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#taken += room
  }

  /** Wakes all that wait: the first may need more room than there is, the next less. */
  give(bytes: number): void {
    this.#taken -= Math.max(bytes, LEAST_BYTES)
    for (const look of this.#waiting.splice(0)) look()
  }
}

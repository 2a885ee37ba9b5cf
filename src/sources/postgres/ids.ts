/** A set of small numbers that are close together, such as the ids of an archive's entries: one bit each. */
export class Ids {
  size = 0
  #bits = new Uint8Array(1024)

  add(id: number): void {
    if (this.has(id)) return
    const place = id >> 3
    if (place >= this.#bits.length) {
      const bits = new Uint8Array(Math.max(place + 1, 2 * this.#bits.length))
      bits.set(this.#bits)
      this.#bits = bits
    }
    this.#bits[place]! |= 1 << (id & 7)
    this.size++
  }

  has(id: number): boolean {
    return ((this.#bits[id >> 3] ?? 0) & (1 << (id & 7))) !== 0
  }

  delete(id: number): void {
    if (!this.has(id)) return
    this.#bits[id >> 3]! &= ~(1 << (id & 7))
    this.size--
  }
}

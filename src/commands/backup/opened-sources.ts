import type { Source } from '../../sources/source.ts'

/** The sources of a backup. They are made again if they must be read once more. */
export class OpenedSources {
  readonly #make: () => Source[]
  #all: Source[]

  constructor(make: () => Source[]) {
    this.#make = make
    this.#all = make()
  }

  [Symbol.iterator](): Iterator<Source> {
    return this.#all[Symbol.iterator]()
  }

  async open(): Promise<void> {
    for (const source of this.#all) await source.open()
  }

  async openAgain(): Promise<void> {
    await this.close()
    this.#all = this.#make()
    await this.open()
  }

  /** Closes all of them, once, and frees the memory that they take. */
  async close(): Promise<void> {
    await Promise.all(this.#all.splice(0).map((source) => source.close()))
  }
}

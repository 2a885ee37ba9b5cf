import { BadSource } from '../../source.ts'
import type { StoredArchive } from './stored-archive.ts'

/** Compares the lines of `pg_restore --list` of a whole archive with those that were recorded at backup time, while they pass. */
export class RecordedEntries {
  readonly #archive: StoredArchive
  readonly #partIds: ReadonlySet<number>
  readonly #ofParts: string[] = []
  #own = 0
  #same = true

  constructor(archive: StoredArchive) {
    this.#archive = archive
    this.#partIds = new Set(archive.parts.map(({ id }) => id))
  }

  passes(line: string): void {
    if (this.#partIds.has(Number.parseInt(line, 10))) this.#ofParts.push(line)
    else if (line !== this.#archive.entries[this.#own++]) this.#same = false
  }

  /** Throws BadSource unless all of them were there. The lines of the parts come last among those recorded, under whatever ids. */
  require(): void {
    const { main, parts, entries } = this.#archive
    const ofParts = entries.slice(entries.length - parts.length).map(withoutId)
    const listed = this.#own + this.#ofParts.length
    if (this.#same && listed === entries.length && ofParts.join('\n') === this.#ofParts.map(withoutId).join('\n')) return
    throw new BadSource(`${main.name} lists ${listed} entries that are not the ${entries.length} recorded at backup time`)
  }
}

function withoutId(line: string): string {
  return line.replace(/^\d+; /, '')
}

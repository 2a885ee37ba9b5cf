import { formatSome, oneLine } from '../../../report/format.ts'
import { BadSource } from '../../source.ts'
import { assembledIds } from './archive-part.ts'
import type { StoredArchive } from './stored-archive.ts'

/** Compares the lines of `pg_restore --list` of a whole archive with those that were recorded at backup time, while they pass. */
export class RecordedEntries {
  readonly #archive: StoredArchive
  readonly #partIds: ReadonlySet<number>
  readonly #ofParts: string[] = []
  /** Those recorded of the main archive, the first so many of which have passed in their order. */
  readonly #main: readonly string[]
  #same = 0
  /** After the first difference: those that have not passed. */
  #rest: Set<string> | undefined
  readonly #unexpected: string[] = []
  #listed = 0

  constructor(archive: StoredArchive) {
    this.#archive = archive
    this.#partIds = new Set(archive.parts.flatMap((part) => [...assembledIds(part).values()]))
    this.#main = archive.entries.slice(0, archive.entries.length - this.#partIds.size)
  }

  passes(line: string): void {
    this.#listed++
    if (this.#partIds.has(Number.parseInt(line, 10))) this.#ofParts.push(line)
    else if (!this.#rest && line === this.#main[this.#same]) this.#same++
    else {
      // Only an archive that is refused takes this memory.
      this.#rest ??= new Set(this.#main.slice(this.#same))
      if (!this.#rest.delete(line)) this.#unexpected.push(line)
    }
  }

  /** Throws BadSource unless all of them were there. The lines of the parts come last among those recorded, with the ids of the parts. */
  require(): void {
    const { main, entries } = this.#archive
    const [recorded, ofParts] = [entries.slice(this.#main.length).map(withoutId), this.#ofParts.map(withoutId)]
    const missing = [...(this.#rest ?? this.#main.slice(this.#same)), ...lacking(ofParts, recorded)]
    const unexpected = [...this.#unexpected, ...lacking(recorded, ofParts)]
    if (!this.#rest && missing.length + unexpected.length === 0 && recorded.join('\n') === ofParts.join('\n')) return
    const differences = [...named('missing', missing), ...named('unexpected', unexpected)].join('; ') || 'they are in another order'
    throw new BadSource(
      `${main.name} lists ${this.#listed} entries that are not the ${entries.length} recorded at backup time: ${differences}`)
  }
}

/** Those of `others` that are not among the lines. */
function lacking(lines: readonly string[], others: readonly string[]): string[] {
  const all = new Set(lines)
  return others.filter((line) => !all.has(line))
}

/** More would not tell more. */
const MOST_NAMED = 3

function named(what: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${what}: ${formatSome(lines.map((line) => oneLine(withoutId(line))), MOST_NAMED)}`]
}

function withoutId(line: string): string {
  return line.replace(/^\d+; /, '')
}

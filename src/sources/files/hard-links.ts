import { metaOf, sortKey, sortKeyOf } from './entry.ts'
import { inTurns, SortedTexts } from './sorted-texts.ts'

export interface HardLink {
  entry: string
  /** Path of the entry that has the content: the first of the same file. */
  target: string
}

/** Second and later entries of files that have several names, in the order of a scan. */
export class HardLinks implements Iterable<HardLink> {
  readonly #texts = new SortedTexts()

  get count(): number {
    return this.#texts.count
  }

  add({ entry, target }: HardLink): void {
    this.#texts.add(`${entry}\0${target}`)
  }

  *[Symbol.iterator](): Generator<HardLink, void, void> {
    for (const text of this.#texts) {
      const end = text.lastIndexOf('\0')
      yield { entry: text.slice(0, end), target: text.slice(end + 1) }
    }
  }
}

/** An entry; of a further name of a file, with the path of its first. */
export interface ScannedEntry {
  entry: string
  target?: string
}

/** The names of files that have several. */
export class NamesOfFiles {
  readonly #names = new SortedTexts()

  add(entry: string): void {
    const meta = metaOf(entry)
    if (meta.type === 'f' && meta.links > 1) this.#names.add(`${meta.inode}\0${sortKeyOf(entry)}`)
  }

  /** The entries that were added, in their order: further names with the first of their file. */
  async targeting(entries: Iterable<string>): Promise<Iterable<ScannedEntry>> {
    return targeted(entries, await this.#later())
  }

  /** Of each second and later name its sort key, a zero, and the sort key of the first. */
  async #later(): Promise<SortedTexts> {
    const later = new SortedTexts()
    let first: { inode?: string; key: string } = { key: '' }
    await inTurns(this.#names, (name) => {
      const [inode = '', key = ''] = name.split('\0')
      if (inode === first.inode) later.add(`${key}\0${first.key}`)
      else first = { inode, key }
    })
    return later
  }
}

/** Entries in their order. Reads them twice. */
export async function withTargets(entries: Iterable<string>): Promise<Iterable<ScannedEntry>> {
  const names = new NamesOfFiles()
  await inTurns(entries, (entry) => names.add(entry))
  return names.targeting(entries)
}

function* targeted(entries: Iterable<string>, names: SortedTexts): Generator<ScannedEntry, void, void> {
  const later = names[Symbol.iterator]()
  let next = later.next()
  for (const entry of entries) {
    const key = `${sortKeyOf(entry)}\0`
    if (next.done || !next.value.startsWith(key)) yield { entry }
    else {
      yield { entry, target: sortKey(next.value.slice(key.length)) }
      next = later.next()
    }
  }
}

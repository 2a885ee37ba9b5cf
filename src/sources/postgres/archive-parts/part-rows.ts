import { LifeboatError, messageOf } from '../../../error.ts'
import { BadSource } from '../../source.ts'
import { ContentsReader } from '../contents.ts'
import { type Format, intBytes } from '../contents-form.ts'
import { type ArchiveForm, type ArchivePart, shown } from './archive-part.ts'

/** The block of rows in the archive of a part, under its id in the assembled archive. Reads the part to its end. */
export async function* rowsOfPart(part: ArchivePart, bytes: AsyncIterable<Buffer>, form: ArchiveForm): AsyncGenerator<Buffer, void, void> {
  const head = new PartHead()
  let block: RowBlock | undefined
  for await (const piece of bytes) {
    let passed: Buffer
    try {
      if (!block && head.push(piece)) continue
      if (block) passed = block.push(piece)
      else {
        requireSame(part, head, form)
        block = new RowBlock(head.id, part.id, form)
        passed = block.push(head.after)
      }
    } catch (error) {
      throw bad(part, error)
    }
    if (passed.length > 0) yield passed
  }
  if (!block?.ended) throw bad(part, new LifeboatError('the archive ends too early'))
}

/** Reads as much of a part as tells that it has the rows that are recorded. Throws as `rowsOfPart` does. */
export async function requireRows(part: ArchivePart, bytes: AsyncIterable<Buffer>, form: ArchiveForm): Promise<void> {
  for await (const _ of rowsOfPart(part, bytes, form)) return
}

function bad(part: ArchivePart, cause: unknown): unknown {
  return cause instanceof LifeboatError ? new BadSource(`${shown(part)}: ${messageOf(cause)}`, { cause }) : cause
}

/** The table of contents of a part, of which one entry is that of rows. */
export class PartHead {
  #entry: { id: number; raw: Buffer } | undefined
  #count = 0
  encoding = ''
  readonly #contents = new ContentsReader({
    keeps: ({ id, kind, raw, sql }) => {
      if (kind === 'ENCODING') this.encoding = sql()
      if (kind === 'TABLE DATA' && ++this.#count === 1) this.#entry = { id, raw: Buffer.from(raw) }
      return false
    },
  })

  /** False once it has read everything. Throws `LifeboatError` if the bytes are no table of contents. */
  push(bytes: Uint8Array): boolean {
    return this.#contents.push(bytes)
  }

  /** The one entry of rows, as it is. Throws if there is another number of them. */
  get entry(): Buffer {
    return this.#one().raw
  }

  get id(): number {
    return this.#one().id
  }

  get format(): Format | undefined {
    return this.#contents.format
  }

  /** Bytes after the table of contents, of those that were pushed. */
  get after(): Buffer {
    return this.#contents.after
  }

  #one(): { id: number; raw: Buffer } {
    if (this.#entry && this.#count === 1) return this.#entry
    throw new LifeboatError(`the archive has rows of ${this.#count} tables instead of one`)
  }
}

function requireSame({ entry }: ArchivePart, head: PartHead, { encoding, ...form }: ArchiveForm): void {
  const [own, others] = [head.format!, form].map(({ minor, revision, integer, position, compression }) =>
    [`1.${minor}-${revision}`, `${8 * integer} bits`, `${8 * position} bits`, compression].join(', '))
  if (own !== others) throw new LifeboatError(`the archive has another form (${own}) than the main archive (${others})`)
  if (head.encoding !== encoding) throw new LifeboatError('the archive has another encoding than the main archive')
  if (!head.entry.equals(entry)) throw new LifeboatError('the archive has other rows than those that the snapshot records')
}

/** A block of rows begins with this and the id of its entry (pg_backup_custom.c of PostgreSQL; data-blocks.ts tells more). */
const ROWS = 1

/** The one block of rows after a table of contents: pieces, each after its length, up to a length of zero. */
class RowBlock {
  readonly #id: number
  readonly #as: Buffer
  readonly #size: number
  /** Bytes of the piece that are still to come, and those of its length that have come. */
  #left = 0
  #partial: Buffer = Buffer.alloc(0)
  #begun = false
  ended = false

  constructor(id: number, as: number, format: Format) {
    this.#id = id
    this.#as = Buffer.concat([Buffer.of(ROWS), intBytes(as, format)])
    this.#size = 1 + format.integer
  }

  /** The same bytes under the other id. Throws if they are of another form. */
  push(bytes: Buffer): Buffer {
    if (this.#begun) {
      this.#follow(bytes)
      return bytes
    }
    this.#partial = Buffer.concat([this.#partial, bytes])
    if (this.#partial.length < this.#as.length) return Buffer.alloc(0)
    const [head, rest] = [this.#partial.subarray(0, this.#as.length), this.#partial.subarray(this.#as.length)]
    if (head[0] !== ROWS || this.#number(head, 1) !== this.#id) throw new LifeboatError('other data comes first in the archive')
    this.#begun = true
    this.#partial = Buffer.alloc(0)
    this.#follow(rest)
    return Buffer.concat([this.#as, rest])
  }

  #follow(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.ended) throw new LifeboatError('more data follows the rows')
      if (this.#left > 0) {
        const took = Math.min(this.#left, bytes.length - at)
        this.#left -= took
        at += took
      } else if (this.#partial.length === 0 && at + this.#size <= bytes.length) {
        this.#length(bytes, at)
        at += this.#size
      } else {
        const taken = bytes.subarray(at, at + this.#size - this.#partial.length)
        at += taken.length
        this.#partial = Buffer.concat([this.#partial, taken])
        if (this.#partial.length < this.#size) return
        this.#length(this.#partial, 0)
        this.#partial = Buffer.alloc(0)
      }
    }
  }

  #length(bytes: Buffer, at: number): void {
    this.#left = this.#number(bytes, at)
    if (this.#left === 0) this.ended = true
  }

  #number(bytes: Buffer, at: number): number {
    const value = bytes.readUIntLE(at + 1, this.#size - 1)
    if (bytes[at] !== 0 || value > 0x7fffffff) throw new LifeboatError('its data has another form than pg_dump writes')
    return value
  }
}

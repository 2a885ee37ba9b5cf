import { ContentsReader } from '../contents.ts'
import type { Format } from '../contents-form.ts'
import { isData, ofLargeObjects, type PartEntry } from './archive-part.ts'

/** The table of contents of a part. */
export class PartHead {
  /** Of rows and large objects. The main archive has all others, as well: settings, the database, and values of sequences. */
  readonly entries: PartEntry[] = []
  encoding = ''
  readonly #contents = new ContentsReader({
    keeps: ({ id, kind, schema, name, raw, sql }) => {
      if (kind === 'ENCODING') this.encoding = sql()
      if (isData({ kind }) || ofLargeObjects({ kind, name })) this.entries.push({ id, kind, schema, name, raw: Buffer.from(raw) })
      return false
    },
  })

  /** False once it has read everything. Throws `LifeboatError` if the bytes are no table of contents. */
  push(bytes: Uint8Array): boolean {
    return this.#contents.push(bytes)
  }

  get format(): Format | undefined {
    return this.#contents.format
  }
}

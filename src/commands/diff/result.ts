import type { Difference } from '../../sources/files/compare.ts'
import type { ShownFile } from '../show/result.ts'

export interface DiffResult {
  from: { snapshot: string; set: string; time: string; size: number }
  to: { snapshot: string; set: string; time: string; size: number }
  /** Of the content of `to`, each chunk counted once: all of it, and what `from` has as well. Raw bytes. */
  content: { chunks: number; bytes: number; sharedChunks: number; sharedBytes: number }
  /** Sources by name; `from` or `to` is null where the snapshot lacks it. Raw bytes. `identical`: all streams of both are the same bytes; without it, two dumps of the same data differ at least in their times. */
  sources: (Changed<number | null> & { name: string; kind: string; identical?: boolean; database?: DatabaseDiff; files?: FilesDiff })[]
}

interface Changed<T> {
  from: T
  to: T
}

export interface DatabaseDiff {
  /** Versions, encoding, extensions: what is different, by name; null where there was or is none. */
  settings: (Changed<string | null> & { name: string })[]
  /** `schema.table`. Rows and bytes are the server's estimates; rows null where it had none. Tables of which both are the same are left out, whether or not their content is the same. */
  tables: Record<'added' | 'removed', { name: string; rows: number | null; bytes: number }[]> & { changed: { name: string; rows: Changed<number | null>; bytes: Changed<number> }[] }
  /** Entries of the archive (`INDEX public orders_pkey app`), those of tables among them. */
  entries: { added: string[]; removed: string[] }
}

export interface FilesDiff {
  added: ShownFile[]
  removed: ShownFile[]
  /** Of which something that is recorded is different. `from` and `to` are sizes. With the same size and another time, the content may be another. */
  changed: (Changed<number> & { path: string; type: string; what: Difference[] })[]
  /** In parts of the archive that both snapshots have, byte for byte. */
  identical: number
  /** All that is recorded of them is the same (kind, size, target, mode, owner, time); their content and extended attributes were not compared. */
  alike: number
}

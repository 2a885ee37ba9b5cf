import { LifeboatError } from '../error.ts'
import type { SourceRecord, StreamRecord } from '../repository/snapshot.ts'

/** Something backed up. One use: `open()`, then `streams()` once, in order, each read to its end, then `facts()`. */
export interface Source {
  readonly name: string
  readonly kind: SourceRecord['kind']
  /** Reaches the source and learns what it is, before anything is stored: throws for what can be known to fail already now. */
  open(): Promise<void>
  /**
   * The streams of this source, opened one after the other. `before` is what the newest snapshot of the set has of it, for a source that
   * need not read again what has not changed. Throws when the source cannot be read.
   */
  streams(before?: SourceRecord): AsyncIterable<SourceStream>
  /** What is known of the source once all its streams have ended well: plain JSON, kept sealed in the snapshot. */
  facts(): Json
  /** Stops what still runs; safe to call at any time and more than once. */
  close(): Promise<void>
}

export interface SourceStream {
  /** File name of the stream, unique within its source: `app.dump`, `globals.sql`. */
  readonly name: string
  readonly format: StreamFormat
  /** The stream of `before` that has the same bytes: where all of it is still in the store, `bytes` is not iterated. */
  readonly same?: StreamRecord
  /**
   * The bytes, each piece valid until the next is asked for. Iterating throws unless the source ended well; a clean end is a promise that
   * nothing is missing. When it throws `ReadAgain`, what it yielded is to be dropped, and the source yields the stream once more.
   */
  readonly bytes: AsyncIterable<Buffer>
}

/** The streams of a source were read, and are not what was recorded of it: the backup is bad. */
export class BadSource extends LifeboatError {}

/** The source changed while a stream was read. */
export class ReadAgain extends Error {}

export type StreamFormat = StreamRecord['format']

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Something backed up. One use: `open()`, then `streams()` once, in order, each read to its end, then `facts()`. */
export interface Source {
  readonly name: string
  readonly kind: 'postgres'
  /** Reaches the source and learns what it is, before anything is stored: throws for what can be known to fail already now. */
  open(): Promise<void>
  /** The streams of this source, opened one after the other. Throws when the source cannot be read. */
  streams(): AsyncIterable<SourceStream>
  /** What is known of the source once all its streams have ended well: plain JSON, kept sealed in the snapshot. */
  facts(): Json
  /** Stops what still runs; safe to call at any time and more than once. */
  close(): Promise<void>
}

export interface SourceStream {
  /** File name of the stream, unique within its source: `app.dump`, `globals.sql`. */
  readonly name: string
  readonly format: StreamFormat
  /** The bytes. Iterating throws unless the source ended well; a clean end is a promise that nothing is missing. */
  readonly bytes: AsyncIterable<Buffer>
}

export type StreamFormat = 'pg_dump-custom' | 'sql'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

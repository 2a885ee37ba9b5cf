import { LifeboatError } from '../error.ts'
import type { SourceRecord, StreamRecord } from '../repository/snapshot.ts'
import type { AddedByTable, TableExtent } from './added.ts'

/** A source of one backup. Used once: `open()`, then `streams()` once, each read to its end, then `facts()`. */
export interface Source {
  readonly name: string
  readonly kind: SourceRecord['kind']
  /** Reaches the source, before anything is stored. Throws for everything that is known to fail by then. */
  open(): Promise<void>
  /**
   * So many of its streams may be read at the same time: the next one is asked for while others are read. Known with the first of them. If
   * one fails, the source ends the others. Default: 1.
   */
  readonly parallel?: number
  /**
   * The streams of this source, in the order of its record. `before` is its record in the newest snapshot of the set, for a source that
   * need not read unchanged data again. Throws if the source cannot be read.
   */
  streams(before?: SourceRecord): AsyncIterable<SourceStream>
  /** In place of `streams`: the bytes to read, where they are. Absent if only reading tells. */
  measure?(): Promise<number>
  /**
   * Where in a stream the data of each table is, in its order, known once all its streams have ended well; undefined if that is not known.
   * Absent: the source has no tables.
   */
  tablesIn?(stream: string): readonly TableExtent[] | undefined
  /**
   * Facts about the source, known once all its streams have ended well: plain JSON, kept sealed in the snapshot. `added`: what is known of
   * its tables by then.
   */
  facts(added?: AddedByTable): Json
  /** Stops everything that still runs; safe to call at any time and more than once. */
  close(): Promise<void>
}

export interface SourceStream {
  /** File name of the stream, unique within its source: `app.dump`, `globals.sql`. */
  readonly name: string
  readonly format: StreamFormat
  /** Set for files: unchanged bytes come in long pieces. Rows of tables are short, and move. */
  readonly longMatches?: true
  /** The stream of `before` that has the same bytes: if all of it is still in the store, `bytes` is not iterated. */
  readonly same?: StreamRecord
  /**
   * The bytes, each piece valid until the next is asked for. Iterating throws unless the source ended well; a clean end is a promise that
   * nothing is missing. If it throws `ReadAgain`, the bytes so far are dropped, and the source yields the stream once more.
   */
  readonly bytes: AsyncIterable<Buffer>
}

/** The streams of a source were read and contradict its record: the backup is bad. */
export class BadSource extends LifeboatError {}

/** A source was restored and is equal, but a condition of its owner does not hold: the backup is good, its data not as expected. */
export class UnmetCondition extends LifeboatError {}

/** The same, but whether the condition holds could not be asked: it is wrong itself, or there is nothing to ask it of. */
export class UnaskedCondition extends LifeboatError {}

/** The source changed while a stream was read. */
export class ReadAgain extends Error {}

export type StreamFormat = StreamRecord['format']

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

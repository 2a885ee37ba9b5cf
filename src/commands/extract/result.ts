export interface ExtractResult {
  snapshot: string
  set: string
  time: string
  source: string
  /** The part of the source; absent for all of it. */
  path?: string
  /** Its rows alone were written. */
  table?: string
  /** The file that was written; absent for standard output. */
  output?: string
  /** Bytes written. */
  size: number
  seconds: number
}

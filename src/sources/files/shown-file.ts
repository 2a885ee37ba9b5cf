import type { LeftOut } from './left-out.ts'

/** A file of a source, as results show it. */
export interface ShownFile {
  path: string
  /** As in a list of files: `f` file, `d` directory, `l` symbolic link, `p` pipe, `h` hard link. */
  type: string
  size: number
  /** Seconds since 1970, with decimals. */
  mtime: string
  /** Of a link. */
  target?: string
  /** Of an object in a bucket. */
  etag?: string
}

/** A property of a file that can differ, in the order in which they are reported. `content`: an object in a bucket with another ETag. */
export type FileProperty = 'kind' | 'size' | 'content' | 'target' | 'mode' | 'owner' | 'time'

export interface FilesDiff {
  added: ShownFile[]
  /** `leftOut`: the newer backup has patterns that leave the file out, so that it may be in its place as before. */
  removed: (ShownFile & { leftOut?: keyof LeftOut })[]
  /**
   * Files with a recorded property that differs. `from` and `to` are sizes. With the same size and another time, the content may differ.
   */
  changed: { path: string; type: string; from: number; to: number; what: FileProperty[] }[]
  /** In parts of the archive that both snapshots have, byte for byte. */
  identical: number
  /** Recorded with the same kind, size, target, mode, owner and time; their content and extended attributes were not compared. */
  alike: number
}

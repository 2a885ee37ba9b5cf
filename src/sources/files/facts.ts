import { z } from 'zod'
import { memberSizes } from './member-sizes.ts'

const count = z.int().min(0)

/** Files by their names, with links and pipes; their bytes; and folders that may not be read, of which nothing is known. */
const leftOut = z.object({ files: count, bytes: count, closed: count })

/** The facts of a volume in a snapshot. */
export const volumeFacts = z.object({
  /** Its location: `/srv/files`, `docker:files`. */
  where: z.string(),
  /** Members of the archive, the regular files among them, and the bytes of their content. */
  entries: count,
  files: count,
  bytes: count,
  /** Hard links among the members: the last ones. The first snapshots do not have this count. */
  links: count.optional(),
  skipped: z.object({ sockets: count, devices: count, mounted: count }),
  /** Paths of files that changed or vanished while they were read, twice. */
  changed: z.array(z.string()),
  /** Paths of files that could not be read and were left out. */
  unreadable: z.array(z.string()),
  /** The patterns of the backup, as in gitignore(5). The first snapshots have them only of buckets. */
  patterns: z.object({ include: z.array(z.string()), exclude: z.array(z.string()) }).optional(),
  /** The patterns of the volume's own .lifeboatignore: their number, the SHA-256 of all, and the first of them. Absent: it has none. */
  ignoreFile: z.object({ count, digest: z.string(), patterns: z.array(z.string()) }).optional(),
  /** Counts of what the patterns left out, by the reason; absent where there is nothing, and in the first snapshots. */
  leftOut: z.object({ include: leftOut, exclude: leftOut, ignoreFile: leftOut }).partial().optional(),
  /**
   * For each tar stream, in order: the number of its members, and the digest by which the next backup recognizes it. An empty digest means
   * that it has to be read again. Too many `sizes` are not recorded.
   */
  segments: z.array(z.object({ entries: count, digest: z.string(), sizes: memberSizes.optional() })),
})

export type VolumeFacts = z.infer<typeof volumeFacts>

/** The facts name at most this many paths of each sort. */
export const MOST_NAMED = 1000

/** Names a path in the facts, unless they name enough of its sort. */
export function remember(paths: string[], path: string): void {
  if (paths.length < MOST_NAMED) paths.push(path)
}

/** The facts of a volume of which nothing is read yet. */
export function emptyFacts(where: string): VolumeFacts {
  const skipped = { sockets: 0, devices: 0, mounted: 0 }
  return { where, entries: 0, files: 0, bytes: 0, links: 0, skipped, changed: [], unreadable: [], segments: [] }
}

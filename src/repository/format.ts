import { LifeboatError } from '../error.ts'

/** The name of the format that this program reads and writes (docs/format.md). */
export const FORMAT = 'lifeboat/1'

/** Refuses an object that says it has another format than this program's, before any of it is interpreted. */
export function checkFormat(key: string, format: unknown): void {
  if (format === FORMAT) return
  throw new LifeboatError(
    `${key} has the format ${JSON.stringify(format)?.slice(0, 40)}; this version of Lifeboat reads ${FORMAT}`,
    {
      hint: 'Use the version of Lifeboat that wrote this store, or a newer one. Nothing was changed.',
    },
  )
}

import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'

/**
 * The error of a target that has content, in a mode that keeps it. `free`: a place to restore into in this mode; `modes`: the others, for a
 * volume with content. `all`: every source of the snapshot is restored in one mode, so that no other can be given for this one.
 */
export function notEmpty(
  where: string, { free, modes, all = false }: { free: string; modes: string; all?: boolean | undefined },
): LifeboatError {
  const hint = all
    ? marked`With ‹all›, the mode is that of every source: give this one ${free} in ‹map›, and move its content when all is restored. Or ` +
      marked`restore one after the other: databases with ‹database› and ‹mode: swap›, this one with ‹volume›, ‹target› and ${modes}.`
    : `Restore into ${free}, or with ${modes}.`
  return new LifeboatError(`${where} is not empty`, { hint, status: 2 })
}

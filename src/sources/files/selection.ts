import ignore from 'ignore'

/** Patterns that select entries of a volume, in the syntax of gitignore(5). */
export interface Patterns {
  /** Only entries that these match, or that lie in a folder that they match; all entries if there are none. */
  include: readonly string[]
  exclude: readonly string[]
}

export const EVERY_FILE: Patterns = { include: [], exclude: [] }

/** A path, in the order of a scan. */
export interface ScannedPath {
  /** UTF-8, relative to the volume, without a slash at its end; the volume itself is empty. */
  path: string
  directory: boolean
}

/** By default, `Cache` and `cache` would be the same name. */
const NAMES = { ignorecase: false }

/** The selected items, in their order, with the folders that contain them. */
export function selected<T>(items: readonly T[], candidateOf: (item: T) => ScannedPath, { include, exclude }: Patterns): T[] {
  if (include.length === 0 && exclude.length === 0) return [...items]
  const wanted = ignore(NAMES).add([...include])
  const unwanted = ignore(NAMES).add([...exclude])
  const chosen: T[] = []
  /** Folders around the current item that are not chosen so far, outermost first. */
  let around: { item: T; inside: string }[] = []
  let left: string | undefined
  let taken: string | undefined
  for (const item of items) {
    const { path, directory } = candidateOf(item)
    if (left !== undefined && path.startsWith(left)) continue
    around = around.filter(({ inside }) => path.startsWith(inside))
    const tested = directory ? `${path}/` : path
    if (path !== '' && unwanted.ignores(tested)) {
      if (directory) left = tested
      continue
    }
    const inside = taken !== undefined && path.startsWith(taken)
    if (path === '' || include.length === 0 || inside || wanted.ignores(tested)) {
      chosen.push(...around.map(({ item }) => item), item)
      around = []
      if (directory && path !== '' && !inside && include.length > 0) taken = tested
    } else if (directory) around.push({ item, inside: tested })
  }
  return chosen
}

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
export function* selected<T>(items: Iterable<T>, candidateOf: (item: T) => ScannedPath, patterns: Patterns): Generator<T, void, void> {
  const select = selecting(candidateOf, patterns)
  for (const item of items) yield* select(item)
}

/** To be called with each item, in their order: gives it, if it is selected, after the folders that contain it and were not given yet. */
export function selecting<T>(candidateOf: (item: T) => ScannedPath, { include, exclude }: Patterns): (item: T) => readonly T[] {
  const isWanted = matcher(include)
  const isUnwanted = matcher(exclude)
  /** Folders around the current item that are not chosen so far, outermost first. */
  let around: { item: T; inside: string }[] = []
  let left: string | undefined
  let taken: string | undefined
  return (item) => {
    const { path, directory } = candidateOf(item)
    if (left !== undefined && path.startsWith(left)) return []
    around = around.filter(({ inside }) => path.startsWith(inside))
    const tested = directory ? `${path}/` : path
    if (path !== '' && isUnwanted(tested)) {
      if (directory) left = tested
      return []
    }
    const inside = taken !== undefined && path.startsWith(taken)
    if (path === '' || include.length === 0 || inside || isWanted(tested)) {
      const folders = around
      around = []
      if (directory && path !== '' && !inside && include.length > 0) taken = tested
      return [...folders.map((folder) => folder.item), item]
    }
    if (directory) around.push({ item, inside: tested })
    return []
  }
}

/** The library keeps its answer for every path that it is asked about. */
const ASKED = 10_000

function matcher(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false
  let matching = ignore(NAMES).add([...patterns])
  let asked = 0
  return (path) => {
    if (++asked % ASKED === 0) matching = ignore(NAMES).add([...patterns])
    return matching.ignores(path)
  }
}

import ignore, { type Ignore } from 'ignore'
import { displayName } from './file-list.ts'
import { hasSeveralStars, Matchers, NAMES, type PathPattern, pathPattern } from './path-pattern.ts'

/** Patterns that select entries of a volume, in the syntax of gitignore(5). */
export interface Patterns {
  /** Only entries that these match, or that lie in a folder that they match; all entries if there are none. */
  include: readonly string[]
  exclude: readonly string[]
}

/** Why an entry is left out: no pattern of `include` matches it, one of `exclude` does, or one with a reason of its own. */
export type LeftOutBy = (typeof REASONS)[number]

const REASONS = ['include', 'exclude', 'ignoreFile', 'store'] as const

/** A pattern that excludes, with its reason if that is not `exclude`. */
type Exclusion = string | { pattern: string; mark: LeftOutBy }

export type Selection = Pick<Patterns, 'include'> & { exclude: readonly Exclusion[] }

type OnLeftOut<T> = (item: T, by: LeftOutBy) => void

export const EVERY_FILE: Patterns = { include: [], exclude: [] }

/** A path, in the order of a scan. */
export interface ScannedPath {
  /** UTF-8, relative to the volume, without a slash at its end; the volume itself is empty. */
  path: string
  directory: boolean
}

/** Of a file whose path is latin1, with the type that `find` prints. */
export function scannedPath({ path, type }: { path: string; type: string }): ScannedPath {
  return { path: displayName(path), directory: type === 'd' }
}

/** The selected items, in their order, with the folders that contain them. */
export function* selected<T>(
  items: Iterable<T>, candidateOf: (item: T) => ScannedPath, selection: Selection, onLeftOut?: OnLeftOut<T>,
): Generator<T, void, void> {
  const select = selecting(candidateOf, selection, onLeftOut)
  for (const item of items) yield* select(item)
}

/**
 * To be called with each item, in their order: gives it, if it is selected, after the folders that contain it and were not given yet.
 * `onLeftOut` is called with every other; also with folders that are given later, for what is in them.
 */
export function selecting<T>(
  candidateOf: (item: T) => ScannedPath, { include, exclude }: Selection, onLeftOut: OnLeftOut<T> = () => undefined,
): (item: T) => readonly T[] {
  if (include.length === 0 && exclude.length === 0) return (item) => [item]
  const included = matcher(include)
  const excluded = matcher(exclude)
  /** Folders around the current item that are not chosen so far, outermost first. */
  let around: { item: T; inside: string }[] = []
  let left: { folder: string; by: LeftOutBy } | undefined
  let taken: string | undefined
  return (item) => {
    const { path, directory } = candidateOf(item)
    if (left && path.startsWith(left.folder)) {
      onLeftOut(item, left.by)
      return []
    }
    around = around.filter(({ inside }) => path.startsWith(inside))
    const tested = directory ? `${path}/` : path
    const by = path === '' ? undefined : excluded(tested)
    if (by !== undefined) {
      if (directory) left = { folder: tested, by }
      onLeftOut(item, by)
      return []
    }
    const inside = taken !== undefined && path.startsWith(taken)
    if (path === '' || include.length === 0 || inside || included(tested) !== undefined) {
      const folders = around
      around = []
      if (directory && path !== '' && !inside && include.length > 0) taken = tested
      return [...folders.map((folder) => folder.item), item]
    }
    if (directory) around.push({ item, inside: tested })
    onLeftOut(item, 'include')
    return []
  }
}

/** Whether one of these patterns can match something in a folder, which none of them matches. */
export function canMatchIn(folder: string, patterns: readonly string[]): boolean {
  const depth = folder.split('/').length
  return patterns.some((pattern) => {
    if (pattern.startsWith('#') || pattern.startsWith('!')) return false
    // A slash that is not at the end ties a pattern to the volume's own folder.
    if (!pattern.replace(/\/$/, '').includes('/')) return true
    const names = pattern.replace(/^\/|\/$/g, '').split('/')
    const around = names.slice(0, depth)
    if (around.includes('**')) return true
    return names.length > depth && ignore(NAMES).add(`/${around.join('/')}/`).ignores(`${folder}/`)
  })
}

/** Gives the reason of the pattern that decides on a path, in a folder that none leaves out; undefined if none matches it. */
function matcher(patterns: readonly Exclusion[]): (path: string) => LeftOutBy | undefined {
  if (patterns.length === 0) return () => undefined
  const marked = patterns.map((one) => (typeof one === 'string' ? { pattern: one, mark: 'exclude' as const } : one))
  const matchers = new Matchers()
  if (marked.some(({ pattern }) => hasSeveralStars(pattern))) return matcherOfRules(rulesOf(marked, matchers), matchers)
  const matching = matchers.create().add(marked)
  return (path) => {
    matchers.nextPath()
    const { rule } = matching.test(path)
    return rule && REASONS.find((reason) => reason === rule.mark)
  }
}

interface Rule extends PathPattern {
  mark: LeftOutBy
}

/** The last rule that matches decides. */
function matcherOfRules(rules: readonly Rule[], matchers: Matchers): (path: string) => LeftOutBy | undefined {
  const lastFirst = rules.toReversed()
  return (path) => {
    matchers.nextPath()
    const names = path.replace(/\/$/, '').split('/')
    const rule = lastFirst.find(({ matches }) => matches(path, names))
    return rule?.negative ? undefined : rule?.mark
  }
}

/** A rule for each pattern that has `**` several times, and for each run of others that decide the same: these the library matches. */
function rulesOf(patterns: readonly Exclude<Exclusion, string>[], matchers: Matchers): Rule[] {
  const rules: Rule[] = []
  let run: (Omit<Rule, 'matches'> & { matcher: Ignore }) | undefined
  for (const { pattern, mark } of patterns) {
    const negative = pattern.startsWith('!')
    if (hasSeveralStars(pattern)) {
      const rule = pathPattern(pattern, matchers)
      if (rule) rules.push({ ...rule, mark })
      run = undefined
    } else if (!pattern.startsWith('#')) {
      if (run?.negative !== negative || run.mark !== mark) {
        const matcher = matchers.create()
        run = { negative, mark, matcher }
        rules.push({ negative, mark, matches: (path) => matcher.test(path).unignored })
      }
      // Only a negative pattern is matched with the path alone: of others, the library also gives what they decide on a folder around it.
      run.matcher.add({ pattern: negative ? pattern : `!${pattern}` })
    }
  }
  return rules
}

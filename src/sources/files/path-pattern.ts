import ignore, { type Ignore } from 'ignore'

/** By default, `Cache` and `cache` would be the same name. */
export const NAMES = { ignorecase: false }

/** The library keeps its answers; all of its matchers that decide on the same paths keep about so many. */
const KEPT_ANSWERS = 10_000

const NOTHING = ignore()

/** Matchers of the library for one list of patterns, which do not keep more answers if there are more of them. */
export class Matchers {
  readonly #all: Ignore[] = []
  #asked = 0

  /** One without patterns. */
  create(): Ignore {
    const matcher = ignore(NAMES)
    this.#all.push(matcher)
    return matcher
  }

  /** To be called before they are asked about a path. */
  nextPath(): void {
    if (++this.#asked * this.#all.length < KEPT_ANSWERS) return
    this.#asked = 0
    // With other patterns, even none, a matcher forgets its answers; what it has made of its patterns stays.
    for (const matcher of this.#all) matcher.add(NOTHING)
  }
}

/** A pattern of gitignore(5), or several that decide the same. */
export interface PathPattern {
  negative: boolean
  /** Whether it matches a path, which has a slash at its end if it is a folder; not whether it matches a folder around it. */
  matches: (path: string, names: readonly string[]) => boolean
}

/** More asterisks mean the same. */
const STARS = /^\*{2,}$/

/** Whether a pattern has `**` as several of its names: for a deep folder, the library's expression for it would take for ever. */
export function hasSeveralStars(pattern: string): boolean {
  return pattern.replace(/^!/, '').split('/').filter((name) => STARS.test(name.trimEnd())).length > 1
}

/** Its time grows with the names of the pattern times those of the path. Undefined for a comment, a blank or an invalid line. */
export function pathPattern(line: string, matchers: Matchers): PathPattern | undefined {
  if (line.trim() === '' || line.startsWith('#') || /(?:^|[^\\])\\$/.test(line)) return undefined
  const negative = line.startsWith('!')
  const text = line.slice(negative ? 1 : 0).replace(/^\\(?=[!#])/, '').replace(/(?<!\\)\s+$/, '')
  const body = text.replace(/\/$/, '')
  // A slash that is not at the end ties a pattern to the volume's own folder.
  const names = [...(body.includes('/') ? [] : ['**']), ...body.replace(/^\//, '').split('/')]
  const parts: string[][] = [[]]
  for (const [place, name] of names.entries()) {
    if (!STARS.test(name)) parts.at(-1)!.push(name)
    else if (!STARS.test(names[place - 1] ?? '')) parts.push([])
  }
  const [first, ...rest] = parts.map((part) => part.map((name) => nameTest(name, matchers)))
  const last = rest.pop()
  return { negative, matches: (path, pathNames) => (path.endsWith('/') || !text.endsWith('/')) && fitsParts(pathNames, first!, rest, last) }
}

type NameTest = (name: string) => boolean

/** `first` begins the path, `last` ends it; each of those `between` takes the first place that it fits, for no later one allows more. */
function fitsParts(path: readonly string[], first: NameTest[], between: NameTest[][], last: NameTest[] | undefined): boolean {
  const fits = (part: NameTest[], at: number): boolean => part.every((test, place) => at + place < path.length && test(path[at + place]!))
  if (!fits(first, 0)) return false
  let at = first.length
  if (!last) return at === path.length
  for (const part of between) {
    while (at < path.length && !fits(part, at)) at++
    at += part.length
  }
  // With `**` at its end, a pattern matches what is in a folder, not the folder.
  if (last.length === 0) return at < path.length
  const end = path.length - last.length
  return end >= at && fits(last, end)
}

function nameTest(pattern: string, matchers: Matchers): NameTest {
  if (!/[*?[\\]/.test(pattern)) return (name) => name === pattern
  const matcher = matchers.create().add(`/${pattern.replaceAll(/(?<!\\) /g, String.raw`\ `)}`)
  return (name) => matcher.ignores(name)
}

import ignore from 'ignore'

/** By default, `Cache` and `cache` would be the same name. */
export const NAMES = { ignorecase: false }

/** The library keeps its answer for every path that it is asked about. */
export const ASKED = 10_000

/** A pattern of gitignore(5) that matches name by name. */
export interface PathPattern {
  negative: boolean
  /** Whether it matches a path of these names; not whether it matches a folder around it. */
  matches: (names: readonly string[], directory: boolean) => boolean
}

/** More asterisks mean the same. */
const STARS = /^\*{2,}$/

/** Whether a pattern has `**` as several of its names: for a deep folder, the library's expression for it would take for ever. */
export function hasSeveralStars(pattern: string): boolean {
  return pattern.replace(/^!/, '').split('/').filter((name) => STARS.test(name.trimEnd())).length > 1
}

/** In a time that grows with the names of the pattern times those of the path; undefined for a comment, a blank or an invalid line. */
export function pathPattern(line: string): PathPattern | undefined {
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
  const [first, ...rest] = parts.map((part) => part.map(nameTest))
  const last = rest.pop()
  return { negative, matches: (path, directory) => (directory || !text.endsWith('/')) && fitsParts(path, first!, rest, last) }
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

function nameTest(pattern: string): NameTest {
  if (!/[*?[\\]/.test(pattern)) return (name) => name === pattern
  const test = (): ReturnType<typeof ignore> => ignore(NAMES).add(`/${pattern.replaceAll(/(?<!\\) /g, String.raw`\ `)}`)
  let matching = test()
  let asked = 0
  return (name) => {
    if (++asked % ASKED === 0) matching = test()
    return matching.ignores(name)
  }
}

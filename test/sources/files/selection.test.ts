import ignore from 'ignore'
import { canMatchIn, selected, selecting } from '../../../src/sources/files/selection.ts'
import { memoryOf } from '../../support/used-heap.ts'

const paths = ['', 'Cache', 'Cache/x', 'cache', 'cache/x', 'cache/y.LOG', 'z.log']
const items = paths.map((path) => ({ path, directory: paths.some((other) => other.startsWith(`${path}/`)) || path === '' }))
const chosen = (include: string[], exclude: string[]): string[] => [...selected(items, (item) => item, { include, exclude })].map(({ path }) => path)

test('names that differ in the case of letters are different names', () => {
  expect(chosen([], ['/Cache/', '*.log'])).toEqual(['', 'cache', 'cache/x', 'cache/y.LOG'])
  expect(chosen(['/cache/'], [])).toEqual(['', 'cache', 'cache/x', 'cache/y.LOG'])
  expect(chosen(['*.LOG'], [])).toEqual(['', 'cache', 'cache/y.LOG'])
})

test.each([
  ['*.txt', 'a/b', true], ['kept', 'a', true], ['logs/', 'a', true],
  ['/kept', 'a', false], ['/a/*.txt', 'a', true], ['/a/*.txt', 'a/b', false], ['a/b/c', 'a/b', true], ['a/c/d', 'a/b', false],
  ['/a*/x', 'abc', true], ['/a*/x', 'bc', false], ['/a/**/x', 'a/b/c', true], ['/b/**/x', 'a/b/c', true], ['**/x', 'a', true],
  ['!*.txt', 'a', false], ['# all', 'a', false],
])('%s may match something in the folder %s: %s', (pattern, folder, expected) => {
  expect(canMatchIn(folder, [pattern])).toBe(expected)
})

/** Whole numbers below a limit that look random, the same in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => (state = (state * 48_271) % 0x7fffffff) % below
}

const keyOf = (path: string): string => path.replaceAll('/', '\0')

const numbered = (count: number, pattern: (number: number) => string): string[] =>
  Array.from({ length: count }, (_, number) => pattern(number))

describe('patterns with ** several times', () => {
  test('select what others of gitignore do', () => {
    const draw = numbers(11)
    const pick = <T>(...some: T[]): T => some[draw(some.length)]!
    const folders = ['a', 'b', 'ab', 'a b'].flatMap((one) => [one, ...['a', 'b', 'ab'].flatMap((two) => [`${one}/${two}`, `${one}/${two}/a`])])
    const files = folders.map((path) => `${path}/${pick('a.x', 'b', 'ab.x')}.f`)
    const sorted = [...folders.map((path) => ({ path, directory: true })), ...files.map((path) => ({ path, directory: false }))]
      .toSorted((one, other) => (keyOf(one.path) < keyOf(other.path) ? -1 : 1))
    const name = (): string => pick('a', 'b', 'ab', 'a*', '?b', '[ab]', '*', 'a b', '*.f', 'a\\b', '**', '**', '***')
    const pattern = (least: number): string => {
      const names = Array.from({ length: least + draw(4) }, name)
      return pick('', '', '!', '/') + names.join('/') + pick('', '', '/', '/**', ' ')
    }
    for (let round = 0; round < 1000; round++) {
      const exclude = [...Array.from({ length: draw(3) }, () => pattern(1)), `**/${pattern(2).replace(/^[!/]/, '')}`, ...Array.from({ length: draw(3) }, () => pattern(1))]
      const reference = ignore({ ignorecase: false }).add(exclude)
      const expected = sorted.filter(({ path, directory }) => !reference.ignores(directory ? `${path}/` : path))
      const found = [...selected(sorted, (item) => item, { include: [], exclude })]
      expect([exclude, found.map(({ path }) => path)]).toEqual([exclude, expected.map(({ path }) => path)])
    }
  })

  test('take no longer for a deep folder', () => {
    const deep = Array.from({ length: 300 }, (_, depth) => ({ path: 'a/'.repeat(depth + 1).slice(0, -1), directory: true }))
    const exclude = [`${'**/a/'.repeat(20)}**/b`, `${'a/***/'.repeat(20)}b`, '!**/**/c']
    expect([...selected(deep, (item) => item, { include: [], exclude })]).toHaveLength(deep.length)
    expect([...selected(deep, (item) => item, { include: [], exclude: [`${'**/a/'.repeat(20)}**/a/`] })]).toHaveLength(20)
  })

  test('the last that matches gives the reason, also among patterns with ** once or never', () => {
    const exclude = ['*.log', { pattern: 'z.*', mark: 'ignoreFile' as const }, '**/**/x', '!cache/**/y.LOG/**', '# y.LOG', '*.LOG', { pattern: '!/cache/x', mark: 'ignoreFile' as const }]
    const reasons: string[] = []
    expect([...selected(items, (item) => item, { include: [], exclude }, ({ path }, by) => reasons.push(`${path}: ${by}`))].map(({ path }) => path))
      .toEqual(['', 'Cache', 'cache', 'cache/x'])
    expect(reasons).toEqual(['Cache/x: exclude', 'cache/y.LOG: exclude', 'z.log: ignoreFile'])
  })

  test.each([
    ['one beside 300 others', ['**/cache/**/old', ...numbered(300, (number) => `*.tmp${number}`)], 1500],
    ['one after each of 150 others', numbered(150, (number) => `*.tmp${number}\n**/a*${number}/**/?b`).flatMap((two) => two.split('\n')), 1500],
    ['1000', numbered(1000, (number) => `**/a*${number}/**/?b`), 300],
  ])('keep little memory: %s', async (_case, exclude, files) => {
    const used = await memoryOf(async (measure) => {
      const select = selecting((path: string) => ({ path, directory: false }), { include: [], exclude })
      for (let file = 0; file < files; file++) select(`folder/name${file}`)
      measure()
      expect(select('folder/last')).toEqual(['folder/last'])
    })
    expect(used).toBeLessThan(10_000_000)
  })
})

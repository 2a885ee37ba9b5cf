import { canMatchIn, selected } from '../../../src/sources/files/selection.ts'

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

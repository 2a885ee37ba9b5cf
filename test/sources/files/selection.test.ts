import { selected } from '../../../src/sources/files/selection.ts'

const paths = ['', 'Cache', 'Cache/x', 'cache', 'cache/x', 'cache/y.LOG', 'z.log']
const items = paths.map((path) => ({ path, directory: paths.some((other) => other.startsWith(`${path}/`)) || path === '' }))
const chosen = (include: string[], exclude: string[]): string[] => [...selected(items, (item) => item, { include, exclude })].map(({ path }) => path)

test('names that differ in the case of letters are different names', () => {
  expect(chosen([], ['/Cache/', '*.log'])).toEqual(['', 'cache', 'cache/x', 'cache/y.LOG'])
  expect(chosen(['/cache/'], [])).toEqual(['', 'cache', 'cache/x', 'cache/y.LOG'])
  expect(chosen(['*.LOG'], [])).toEqual(['', 'cache', 'cache/y.LOG'])
})

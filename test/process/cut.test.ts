import { beginningOf, endOf } from '../../src/process/cut.ts'

test('a text that is short enough stays as it is', () => {
  expect([beginningOf('one two', 7), endOf('one two', 7)]).toEqual(['one two', 'one two'])
})

test('a longer one is cut between lines', () => {
  expect(beginningOf('line 1\nline 2\nsecret', 17)).toBe('line 1\nline 2')
  expect(endOf('secret\nline 2\nline 3', 17)).toBe('line 2\nline 3')
  expect(endOf('secret\nline 2', 6)).toBe('line 2')
})

test('a line that is too long is cut between words', () => {
  expect(beginningOf('the password hunter22 is wrong', 17)).toBe('the password')
  expect(endOf('the password hunter22 is wrong', 14)).toBe('is wrong')
  expect(endOf('the password hunter22 is wrong', 8)).toBe('is wrong')
})

test('nothing is left of one long word', () => {
  expect([beginningOf('x'.repeat(50), 20), endOf('x'.repeat(50), 20)]).toEqual(['', ''])
})

import { LifeboatError } from '../../src/error.ts'
import { failureOf, failureText } from '../../src/report/failure.ts'

test('the causes are told as far as they add something', () => {
  const cause = new Error('ENOSPC: no space left on device, write')
  const error = new LifeboatError('cannot write chunk 5f to file:/mnt', { hint: 'Make room.', cause: new Error('cannot write chunk 5f', { cause }) })
  expect(failureText(failureOf(error))).toBe('error: cannot write chunk 5f to file:/mnt\n  because: ENOSPC: no space left on device, write\nhint: Make room.')
})

test('the status is that of the error, and 1 for what nobody foresaw', () => {
  expect(failureOf(new LifeboatError('x', { status: 3 })).status).toBe(3)
  expect(failureOf(new TypeError('x is not a function'))).toEqual({ message: 'x is not a function', causes: [], hint: 'Unexpected error. Please report it with the log; LIFEBOAT_DEBUG=1 shows where it happened.', status: 1 })
})

test('a hint further down the chain is not lost', () => {
  expect(failureOf(new Error('backup failed', { cause: new LifeboatError('refused', { hint: 'Is it running?' }) })).hint).toBe('Is it running?')
})

test('several errors at once are all told, and a circle of causes ends', () => {
  const circle = new Error('a')
  circle.cause = new Error('b', { cause: circle })
  expect(failureOf(new AggregateError([circle, new Error('c')], 'two things failed')).causes).toEqual(['b', 'c'])
})

test('a thrown value need not be an error', () => {
  expect(failureText(failureOf('just text'))).toContain('error: just text')
  expect(failureText(failureOf(undefined))).toContain('error: ')
})

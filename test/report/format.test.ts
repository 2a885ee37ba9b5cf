import { formatAge, formatBytes, formatColumns, formatCount, formatLapse, formatRate, formatSeconds, formatShare, formatTime, listedName } from '../../src/report/format.ts'

test.each([
  [0, '0 B'], [999, '999 B'], [1000, '1.00 kB'], [1536, '1.54 kB'], [9_994, '9.99 kB'], [9_995, '10.0 kB'], [99_949, '99.9 kB'], [99_950, '100 kB'],
  [999_499, '999 kB'], [999_500, '1.00 MB'], [1_250_000_000, '1.25 GB'], [3e15, '3.00 PB'], [3e18, '3000 PB'],
])('%d bytes are written as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

test.each([
  [0.04, '0.0 s'], [9.94, '9.9 s'], [9.96, '10 s'], [59.4, '59 s'], [59.6, '1 min 0 s'], [200, '3 min 20 s'], [3599.6, '1 h 0 min'], [7500, '2 h 5 min'], [7190, '2 h 0 min'],
])('%d seconds are written as %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text))

test('a rate needs time to pass', () => {
  expect(formatRate(1_000_000, 0)).toBe('')
  expect(formatRate(1_000_000, 0.5)).toBe('2.00 MB/s')
})

test('a share is not rounded up to the whole', () => {
  expect(formatShare(9999, 10_000)).toBe('99.9 %')
  expect(formatShare(10_000, 10_000)).toBe('100.0 %')
  expect(formatShare(0, 0)).toBe('–')
})

test('a count has its noun', () => {
  expect([formatCount(1, 'chunk'), formatCount(12_000, 'chunk'), formatCount(2, 'entry', 'entries')]).toEqual(['1 chunk', '12,000 chunks', '2 entries'])
})

test('a time is shown in the time zone that is asked for, midnight as 00', () => {
  expect(formatTime('2026-11-20T02:00:00.000Z', 'UTC')).toBe('2026-11-20 02:00:00 UTC')
  expect(formatTime('2026-06-20T22:00:05Z', 'Europe/Berlin')).toBe('2026-06-21 00:00:05 GMT+2')
})

test('columns line up', () => {
  expect(formatColumns([['a', 'bb', ''], ['ccc', 'd', 'e']], ' ')).toBe(' a    bb\n ccc  d   e')
})

test.each([[59, '59 s'], [60, '1 min'], [7199, '119 min'], [7200, '2 h'], [48 * 3600 - 1, '47 h'], [48 * 3600, '2 days'], [-5, '0 s']])('an age of %d seconds is shown as %s', (seconds, text) => {
  expect(formatAge('2026-11-20T02:00:00Z', new Date(Date.parse('2026-11-20T02:00:00Z') + seconds * 1000))).toBe(text)
})

test.each([
  [42, '42 s'], [3599, '59 min'], [86_280, '23 h 58 min'], [172_799, '47 h 59 min'], [176_400, '2 days 1 h'], [-5, '0 s'],
])('a backup %d s before this one is %s old', (seconds, text) => {
  const now = Date.parse('2026-11-20T02:00:00Z')
  expect(formatLapse(new Date(now - seconds * 1000).toISOString(), new Date(now).toISOString())).toBe(text)
})

test('a name with a comma is no two names of a list', () => {
  expect(['public.orders', 'public.Audit, Log'].map(listedName).join(', ')).toBe('public.orders, "public.Audit, Log"')
})

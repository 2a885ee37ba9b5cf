import { momentIn } from '../../src/inputs/written-time.ts'
import { formatTime } from '../../src/report/format.ts'

test.each(['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/New_York', 'America/Los_Angeles', 'America/Anchorage', 'Pacific/Honolulu', 'Asia/Kathmandu', 'Pacific/Chatham', 'Europe/London'])(
  'times that lists print in %s are read again, in winter and in summer',
  (zone) => {
    for (const time of ['2026-01-15T23:59:07.000Z', '2026-07-15T02:00:00.000Z']) expect(momentIn(formatTime(time, zone), 'last')).toEqual({ time: new Date(time) })
  },
)

test('a date is the first or last moment of its day in UTC; a time without an offset, and a text that is not a time, are not read', () => {
  expect(momentIn('2026-11-20', 'first')).toEqual({ time: new Date('2026-11-20T00:00:00.000Z') })
  expect(momentIn('2026-11-20', 'last')).toEqual({ time: new Date('2026-11-20T23:59:59.999Z') })
  expect(momentIn('2026-11-20T02:00:00+01:00', 'last')).toEqual({ time: new Date('2026-11-20T01:00:00.000Z') })
  expect(momentIn('2026-11-20 02:00 UTC', 'first')).toEqual({ time: new Date('2026-11-20T02:00:00.000Z') })
  expect(['10m', '3d', '2w'].map((age) => momentIn(age, 'last'))).toEqual([{ ago: 600_000 }, { ago: 3 * 86_400_000 }, { ago: 14 * 86_400_000 }])
  for (const text of ['2026-02-30', '2026-11-20 02:00', '2026-11-20T02:00:00', '2026-11-20 25:00 UTC', '2026-11-20 02:00 XYZ', 'yesterday', '3M', '']) expect(momentIn(text, 'last')).toBeUndefined()
})

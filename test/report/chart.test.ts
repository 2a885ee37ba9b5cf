import { sizeChart } from '../../src/report/chart.ts'

test('a chart has a label, a bar and a point for each backup, in one unit', () => {
  const chart = sizeChart(
    [
      { time: '2026-11-18T23:30:00.000Z', stored: 192_000_000, added: 192_000_000 },
      { time: '2026-11-19T23:30:00.000Z', stored: 193_550_000, added: 1_550_000 },
    ],
    'Europe/Berlin',
  )
  expect(chart).toContain('x-axis ["11-19", "20"]')
  expect(chart).toContain('y-axis "MB" 8.54 --> 203')
  expect(chart).toContain('bar [192, 1.55]')
  expect(chart).toContain('line [192, 193.6]')
})

test('backups of nothing still make a chart', () => {
  expect(sizeChart([{ time: '2026-11-18T00:00:00.000Z', stored: 0, added: 0 }, { time: '2026-11-19T00:00:00.000Z', stored: 0, added: 0 }], 'UTC')).toContain('y-axis "B" 0.0441 --> 1.05')
})

test('a second backup of a day is labelled with its time, and no label comes twice', () => {
  const times = ['2026-11-18T02:00:00Z', '2026-11-18T14:00:00Z', '2026-11-19T02:00:00Z', '2026-11-19T14:00:00Z', '2026-11-19T14:00:30Z']
  const chart = sizeChart(times.map((time) => ({ time, stored: 1, added: 1 })), 'UTC')
  expect(chart).toContain('x-axis ["11-18", "14:00", "19", "14:00\u034F", "14:00\u034F\u034F"]')
})

test('a label has the month where that is a new one', () => {
  const times = ['2026-11-29T02:00:00Z', '2026-11-30T02:00:00Z', '2026-12-01T02:00:00Z', '2026-12-02T02:00:00Z']
  expect(sizeChart(times.map((time) => ({ time, stored: 1, added: 1 })), 'UTC')).toContain('x-axis ["11-29", "30", "12-01", "02"]')
})

import type { PageFacts, PageSnapshot } from '../../../src/report/page/facts.ts'
import { setsIn } from '../../../src/report/page/health.ts'
import { reportPage } from '../../../src/report/page/page.ts'
import { MADE, pages } from '../../support/example-pages.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const well = pages['one set, all is well']!

/** Good backups of these ages, newest first. */
function aged(ages: readonly number[], newest: Partial<PageSnapshot> = {}): PageFacts {
  const snapshots = ages.map((age, index) => ({ ...well.snapshots[index]!, time: new Date(Date.parse(MADE) - age).toISOString(), ...(index === 0 && newest) }))
  return { ...well, snapshots }
}

const at = (later: number): string => new Date(Date.parse(MADE) + later).toISOString()

test.each([
  ['one backup of a day', aged([DAY]), 'good', ''],
  ['one backup of 3 days', aged([3 * DAY]), 'unknown', 'is 3 days old, and 1 backup does not tell how often one should be made.'],
  ['one backup of a year', aged([365 * DAY]), 'attention', 'is 365 days old, and 1 backup does not tell'],
  ['two backups of a year', aged([365 * DAY, 366 * DAY]), 'attention', 'is 365 days old, and 2 backups do not tell'],
  ['daily backups, until 3 days ago', aged([3, 4, 5, 6].map((days) => days * DAY)), 'attention', 'but usually one is made every 24 h'],
  ['weekly backups, the newest of 5 days', aged([5, 12, 19, 26].map((days) => days * DAY)), 'good', ''],
  ['a backup that expires in an hour', aged([HOUR], { expires: at(HOUR) }), 'attention', 'expires in 60 min, perhaps before the next one is made.'],
  ['weekly backups that expire before the next', aged([1, 8, 15, 22].map((days) => days * DAY), { expires: at(4 * DAY) }), 'attention', 'expires in 4 days, perhaps before'],
  ['a backup that has expired', aged([HOUR], { expires: at(-HOUR) }), 'bad', 'has expired: it may be gone by now.'],
  ['a backup that expires in 89 days', aged([HOUR], { expires: at(89 * DAY) }), 'good', ''],
] as const)('of %s the report says what it knows: %#', (_, facts, light, finding) => {
  const page = reportPage(facts)
  expect(setsIn(facts)[0]!.light).toBe(light)
  expect(page.includes('All is well')).toBe(light === 'good')
  expect(page).toContain(finding)
})

test.each<[string, Partial<PageFacts>, string, string]>([
  ['a filter matched nothing', { chosen: true }, 'No backup matches', 'Backups: none matches'],
  ['another set was asked for', { elsewhere: true }, 'No backup matches', 'Backups: none matches'],
  ['the store is empty', {}, 'There are no backups yet', 'Backups: none yet'],
])('when %s, the report says so', (_, more, heading, title) => {
  const page = reportPage({ ...pages['an empty store']!, ...more })
  expect(page).toContain(`<h1 id="verdict">${heading}</h1>`)
  expect(page).toContain(`<title>${title}</title>`)
})

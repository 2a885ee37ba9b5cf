import * as fc from 'fast-check'
import { parseRetention, retentionText } from '../../src/inputs/retention.ts'
import { type Candidate, daysWanted, NOT_REPLACED, retain, type RetentionPolicy } from '../../src/repository/retention.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const policyOf = (text: string): RetentionPolicy => parseRetention(text, (problem) => new Error(problem))

function candidate(time: string | number, more: Partial<Candidate> = {}): Candidate {
  const date = new Date(time)
  const second = date.toISOString().slice(0, 19)
  return { id: `${second.replaceAll(/[-:]/g, '')}Z-${(date.getTime() % 0xffff).toString(16).padStart(8, '0')}`, set: 'app', time: date, pinned: false, verified: false, damaged: false, drilled: false, ...more }
}

/** One a day at 02:00 UTC, newest first, the newest on 2026-11-20. */
const nightly = (count: number): Candidate[] => Array.from({ length: count }, (_, index) => candidate(Date.UTC(2026, 10, 20, 2) - index * DAY))
const now = new Date('2026-11-20T03:00:00Z')
const kept = (snapshots: Candidate[], policy: string, zone = 'UTC', at = now): string[] =>
  retain(snapshots, policyOf(policy), zone, at).filter(({ keep }) => keep).map(({ snapshot }) => snapshot.time.toISOString().slice(0, 10))

test.each(['last=3 daily=7 drilled=1 within=30d', 'within=5h', 'none'])('the text of the policy %s is itself', (text) => expect(retentionText(policyOf(text))).toBe(text))

test.each([
  ['last=3', ['2026-11-20', '2026-11-19', '2026-11-18']],
  ['daily=2', ['2026-11-20', '2026-11-19']],
  // 2026-11-20 is a Friday: the newest of a full week is its Sunday.
  ['weekly=3', ['2026-11-20', '2026-11-15', '2026-11-08']],
  ['monthly=3', ['2026-11-20', '2026-10-31', '2026-09-30']],
  ['yearly=2', ['2026-11-20', '2025-12-31']],
  ['3d', ['2026-11-20', '2026-11-19', '2026-11-18']],
  ['within=1h', ['2026-11-20']],
  ['last=1 daily=2 weekly=2', ['2026-11-20', '2026-11-19', '2026-11-15']],
])('of 400 nightly backups, %s keeps the newest of each period', (policy, expected) => {
  expect(kept(nightly(400), policy)).toEqual(expected)
})

test('drilled=1 keeps the newest snapshot that was restored and found equal, and says which are not', () => {
  const snapshots = nightly(6).map((one, index) => ({ ...one, drilled: index === 2 || index === 4 }))
  expect(kept(snapshots, 'last=1 drilled=1')).toEqual(['2026-11-20', '2026-11-18'])
  expect(kept(snapshots, 'last=1')).toEqual(['2026-11-20'])
  expect(retain(snapshots, policyOf('drilled=1'), 'UTC', now).map(({ reasons }) => reasons[0])).toEqual([
    'newest', 'not of the last 1 drilled', 'drilled 1 of 1', 'not of the last 1 drilled', 'not of the last 1 drilled', 'not of the last 1 drilled',
  ])
})

test.each([
  // A Friday: four more weeks end on Sundays, of which 2026-11-15 is one of the seven days and 2026-10-31 ends a month.
  ['daily=7 weekly=4 monthly=6', 7 + 3 + 5 - 1],
  ['30d', 31 - 1],
  ['daily=7 weekly=4 monthly=12', 7 + 3 + 11 - 1],
  ['daily=30 weekly=12 monthly=12 yearly=7', 30 + 7 + 10 + 1],
])('the preset %s keeps %i of 800 nightly backups', (policy, count) => {
  expect(kept(nightly(800), policy)).toHaveLength(count)
})

test('each kept snapshot has its reasons, and each other what is against it', () => {
  const decisions = retain(nightly(40), policyOf('last=1 daily=2 weekly=1 within=36h'), 'UTC', now)
  expect(decisions.slice(0, 4).map(({ keep, reasons }) => [keep, reasons])).toEqual([
    [true, ['newest', 'last 1 of 1', 'daily 2026-11-20', 'weekly 2026-W47', 'within 36h']],
    [true, ['daily 2026-11-19', 'within 36h']],
    [false, ['not of the last 1', 'beyond daily=2', '2026-W47 has a newer one', 'older than 36h']],
    [false, ['not of the last 1', 'beyond daily=2', '2026-W47 has a newer one', 'older than 36h']],
  ])
})

test('the newest, the newest verified and pinned ones stay whatever the policy; without a policy all stay', () => {
  const set = nightly(5).map((one, index) => ({ ...one, verified: index === 2 || index === 3, pinned: index === 4 }))
  const decisions = retain(set, policyOf('1h'), 'UTC', new Date('2027-06-01T00:00:00Z'))
  expect(decisions.map(({ keep, reasons }) => keep && reasons)).toEqual([['newest'], false, ['newest verified'], false, ['pinned']])
  expect(kept(nightly(5), 'none')).toHaveLength(5)
})

test.each([
  ['of newer ones that are partial, the newest complete one stays as well', [true, true, false, false], [['newest'], ['newest verified'], ['newest complete'], false]],
  ['where a newer one is complete, no other is kept for that', [true, false, true, false], [['newest'], ['newest verified'], false, false]],
  ['where all are partial, no more is kept', [true, true, true, true], [['newest'], ['newest verified'], false, false]],
])('%s', (_, partial, expected) => {
  const set = nightly(4).map((one, index) => ({ ...one, verified: index > 0, ...(partial[index] && { partial: true as const }) }))
  expect(retain(set, policyOf('1h'), 'UTC', new Date('2027-06-01T00:00:00Z')).map(({ keep, reasons }) => keep && reasons)).toEqual(expected)
})

test.each([
  ['while none is verified, the damaged ones and the newest that is not damaged stay', '**p..', '', [['newest', NOT_REPLACED.damaged], [NOT_REPLACED.damaged], ['newest not known to be damaged'], false, false]],
  ['once one is verified, the damaged ones go', '.****', 'v', [['newest', 'newest verified'], false, false, false, false]],
  ['while none that is complete is verified, damaged complete ones stay', 'p*p**', 'v', [['newest', 'newest verified'], [NOT_REPLACED.damaged], false, [NOT_REPLACED.damaged], [NOT_REPLACED.damaged]]],
  ['where none is damaged, none stays that goes elsewhere', '.....', '', [['newest'], false, false, false, false]],
])('%s', (_, kinds, verified, expected) => {
  const set = nightly(5).map((one, index) => ({ ...one, verified: verified[index] === 'v', damaged: kinds[index] === '*', ...(kinds[index] === 'p' && { partial: true as const }) }))
  expect(retain(set, policyOf('1h'), 'UTC', new Date('2027-06-01T00:00:00Z')).map(({ keep, reasons }) => keep && reasons)).toEqual(expected)
})

test('sets are judged one by one', () => {
  const sets = ['app', 'shop', 'app.2'].flatMap((set) => nightly(4).map((one) => ({ ...one, set })))
  const decisions = retain(sets, policyOf('last=2'), 'UTC', now)
  expect(decisions.filter(({ keep }) => keep).map(({ snapshot: { set } }) => set)).toEqual(['app', 'app', 'shop', 'shop', 'app.2', 'app.2'])
})

const weekOf = (day: string): string => retain([candidate(`${day}T12:00:00Z`)], policyOf('weekly=1'), 'UTC', new Date('2030-01-01T00:00:00Z'))[0]!.reasons[1]!

test('weeks are those of ISO 8601, at the turn of a year as well', () => {
  expect(['2026-12-31', '2027-01-03', '2027-01-04', '2024-12-29', '2024-12-30', '2025-12-28', '2025-12-29', '2021-01-03'].map(weekOf)).toEqual(
    ['2026-W53', '2026-W53', '2027-W01', '2024-W52', '2025-W01', '2025-W52', '2026-W01', '2020-W53'].map((week) => `weekly ${week}`))
})

const hourly = (from: string, hours: number): Candidate[] => Array.from({ length: hours }, (_, hour) => candidate(Date.parse(from) + hour * HOUR))

function snapshotsByDay(zone: string, snapshots: Candidate[]): [day: string, snapshots: number][] {
  const days = snapshots.map((one) => retain([one], policyOf('daily=1'), zone, now)[0]!.reasons[1]!.slice('daily '.length))
  return [...Map.groupBy(days, (day) => day)].map(([day, those]) => [day, those.length])
}

test('days begin at midnight of the time zone, also when clocks are changed', () => {
  // In New York the 1st of November 2026 has 25 hours, the 8th of March 23.
  const long = hourly('2026-10-31T00:00:00-04:00', 73)
  expect(snapshotsByDay('America/New_York', long)).toEqual([['2026-10-31', 24], ['2026-11-01', 25], ['2026-11-02', 24]])
  expect(snapshotsByDay('America/New_York', hourly('2026-03-08T00:00:00-05:00', 24))).toEqual([['2026-03-08', 23], ['2026-03-09', 1]])
  const late = [candidate('2026-11-19T23:30:00Z'), candidate('2026-11-19T22:30:00Z')]
  expect(kept(late, 'daily=9', 'UTC')).toHaveLength(1)
  expect(kept(late, 'daily=9', 'Europe/Berlin')).toHaveLength(2)
  expect(kept(late, 'daily=9', 'Pacific/Kiritimati')).toHaveLength(1)
})

test('two backups of one second, and of clocks that differ, are all told apart', () => {
  const same = [candidate('2026-11-20T02:00:00Z', { id: '20261120T020000Z-00000001' }), candidate('2026-11-20T02:00:00Z', { id: '20261120T020000Z-00000002' })]
  expect(retain(same, policyOf('last=1'), 'UTC', now).map(({ snapshot: { id }, keep }) => [id.at(-1), keep])).toEqual([['2', true], ['1', false]])
})

test('after a clock that was ahead has been set right, what it dated in the future pushes nothing out', () => {
  const ahead = Array.from({ length: 9 }, (_, index) => candidate(Date.UTC(2031, 0, 1 + index)))
  const decisions = retain([...ahead, ...nightly(5)], policyOf('last=2 daily=2'), 'UTC', now)
  expect(decisions.map(({ keep }) => keep)).toEqual([...ahead.map(() => true), true, true, false, false, false])
  expect(decisions[9]!.reasons).toContain('newest')
})

const START = Date.UTC(2024, 1, 1)
const snapshots = fc.uniqueArray(
  fc.record({ hours: fc.integer({ min: 0, max: 3 * 365 * 24 }), set: fc.constantFrom('a', 'b'), pinned: fc.boolean(), verified: fc.boolean(), partial: fc.boolean(), damaged: fc.boolean() })
    .map(({ hours, partial, ...more }) => candidate(START + hours * HOUR, { ...more, ...(partial && { partial }) })),
  { selector: ({ id }) => id, maxLength: 60 },
)
const count = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined })
const policies = fc
  .record({ last: count, daily: count, weekly: count, monthly: count, yearly: count, within: fc.option(fc.integer({ min: 1, max: 400 }).map((days) => days * DAY), { nil: undefined }) })
  .map((policy): RetentionPolicy => Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)))
const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia', 'Australia/Lord_Howe')
const times = fc.integer({ min: -1000, max: 4 * 365 * 24 }).map((hours) => new Date(START + hours * HOUR))
const keptIds = (given: Candidate[], policy: RetentionPolicy, zone: string, at: Date): Set<string> =>
  new Set(retain(given, policy, zone, at).filter(({ keep }) => keep).map(({ snapshot }) => snapshot.id))
/** The expected snapshots that are missing. */
const lacking = (these: Set<string>, wanted: Set<string>): string[] => [...wanted].filter((id) => !these.has(id))
const END = new Date(START + 4 * 365 * DAY)

describe('with any snapshots, policy, zone and clock', () => {
  test('every snapshot is decided on once, with reasons, and the order they are given in changes nothing', () => {
    fc.assert(
      fc.property(snapshots, policies, zones, times, (given, policy, zone, at) => {
        const decisions = retain(given, policy, zone, at)
        expect(decisions.map(({ snapshot }) => snapshot.id).toSorted()).toEqual(given.map(({ id }) => id).toSorted())
        for (const { reasons } of decisions) expect(reasons.length).toBeGreaterThan(0)
        expect(keptIds(given.toReversed(), policy, zone, at)).toEqual(keptIds(given, policy, zone, at))
      }),
    )
  })

  test('the newest, the newest verified, the newest complete and pinned ones stay, and another set changes nothing', () => {
    fc.assert(
      fc.property(snapshots, policies, zones, times, (given, policy, zone, at) => {
        const ids = keptIds(given, policy, zone, at)
        for (const set of ['a', 'b']) {
          const own = given.filter((one) => one.set === set).toSorted((x, y) => (x.id < y.id ? 1 : -1))
          const past = own.filter(({ time }) => time <= at)
          const needed = [own[0], past[0], past.find(({ verified }) => verified), past.find(({ verified, partial }) => verified && !partial), ...own.filter(({ pinned }) => pinned)]
          for (const one of needed) if (one) expect(ids).toContain(one.id)
          expect([...ids].filter((id) => own.some((one) => one.id === id)).toSorted()).toEqual([...keptIds(own, policy, zone, at)].toSorted())
        }
      }),
    )
  })

  test('a clock that jumps back deletes nothing that stays by the right time', () => {
    fc.assert(
      fc.property(snapshots, policies, zones, fc.integer({ min: 0, max: 4 * 365 * 24 }), (given, policy, zone, hours) => {
        expect(lacking(keptIds(given, policy, zone, new Date(END.getTime() - hours * HOUR)), keptIds(given, policy, zone, END))).toEqual([])
      }),
    )
  })

  test('one more snapshot takes the place of at most one for each rule, one that stood for the newest, one for the newest verified and one for the newest complete', () => {
    fc.assert(
      fc.property(snapshots, policies, zones, fc.boolean(), (given, policy, zone, verified) => {
        const own = given.map((one) => ({ ...one, set: 'a', damaged: false }))
        const more = candidate(END.getTime() - HOUR, { set: 'a', verified })
        const before = keptIds(own, policy, zone, END)
        const lost = lacking(keptIds([...own, more], policy, zone, END), before)
        const rules = Object.keys(policy).filter((rule) => rule !== 'within').length
        expect(lost.length).toBeLessThanOrEqual(rules + 1 + (verified ? 2 : 0))
      }),
    )
  })

  test('a longer policy keeps all that a shorter one keeps', () => {
    fc.assert(
      fc.property(snapshots, policies, zones, times, fc.constantFrom<keyof RetentionPolicy>('last', 'daily', 'weekly', 'monthly', 'yearly', 'within'), (given, policy, zone, at, rule) => {
        const longer = { ...policy, [rule]: (policy[rule] ?? 0) + (rule === 'within' ? DAY : 1) }
        if (Object.keys(policy).length > 0) expect(lacking(keptIds(given, longer, zone, at), keptIds(given, policy, zone, at))).toEqual([])
      }),
    )
  })
})

test.each([
  [{}, undefined],
  [{ within: 30 * DAY }, 30],
  [{ last: 3, daily: 7, weekly: 4 }, 28],
  [{ monthly: 12 }, 372],
  [{ yearly: 1 }, 366],
])('the days that a policy wants: %j', (policy, days) => {
  expect(daysWanted(policy)).toBe(days)
})

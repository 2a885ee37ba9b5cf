import * as fc from 'fast-check'
import { SNAPSHOTS_BUILT_ON } from '../../src/repository/known.ts'
import { dependents, type Holding, oldestNeeded, provenBy, stayingWithout, unneeded as unneededOf, wholeness } from '../../src/stores/artifact/holdings.ts'
import { encodeParts, parseParts, type Parts } from '../../src/stores/artifact/parts.ts'
import { artifactRetention, fullEveryBy, grantedDays } from '../../src/stores/artifact/retention.ts'

const DAY = 86_400_000
const snapshot = (day: number, set = 'app') => `snapshots/${set}/202601${String(day).padStart(2, '0')}T000000Z-00000000.json.zst`
const at = (day: number) => new Date(Date.UTC(2026, 0, day))

/** As a prune with the default grace decides. */
function unneeded(holdings: readonly Holding[], kept: ReadonlySet<string>, now: Date, grace = DAY): Holding[] {
  return unneededOf(holdings, now, { kept, grace, builtOn: SNAPSHOTS_BUILT_ON })
}

function needOf(day: number): Holding['needs'][number] {
  return { artifact: day, name: 'lifeboat-app', run: 1, expires: null, objects: [[`chunks/aa/${day}`, 1]] }
}

/** The artifact of the backup of a day, which needs those of other days. */
function backup(day: number, needs: number[] = [], set = 'app'): Holding {
  return { id: day, name: 'lifeboat-app', size: 1000, set, created: at(day), objects: new Set([snapshot(day, set), `chunks/aa/${day}`]), needs: needs.map(needOf) }
}

const week = [backup(1), backup(2, [1]), backup(3, [1, 2]), backup(4, [1]), backup(5), backup(6, [5]), backup(7, [5])]

test.each<[string, Holding[], number[], number, number[]]>([
  ['all are kept', week, [1, 2, 3, 4, 5, 6, 7], 20, []],
  ['the three newest stay even if the policy keeps none', week, [], 20, [1, 2, 3, 4]],
  ['an artifact that a kept snapshot needs stays, its own snapshot kept or not', week, [3, 5, 6, 7], 20, [4]],
  ['needs of needs are not needed: a snapshot lists everything it needs', [backup(1), backup(2, [1]), backup(3, [2]), ...week.slice(4)], [3, 5, 6, 7], 20, [1]],
  ['what is younger than the grace period stays, with what it needs', [...week, backup(8), backup(9, [4]), backup(10)], [8, 9, 10], 10, [1, 2, 3, 6]],
  ['a backup that started when 5, 6 and 7 were the newest depends on them', [...week, { ...backup(20), created: new Date(at(20).getTime() + 1) }], [20], 20, [1, 2, 3, 4]],
  ['an object of an artifact that has expired stays in every other artifact that has it', [{ ...backup(2), objects: new Set([snapshot(2), 'chunks/aa/1']) }, backup(3, [1]), ...week.slice(4)], [3, 5, 6, 7], 20, []],
  ['nothing there', [], [], 20, []],
])('which artifacts may be deleted: %s', (_, holdings, kept, today, expected) => {
  const now = new Date(at(today).getTime() + DAY / 2)
  expect(unneeded(holdings, new Set(kept.map((day) => snapshot(day))), now).map(({ id }) => id)).toEqual(expected)
})

test('a longer grace keeps more: younger artifacts, and the newest before them that a backup may build on', () => {
  const holdings = [...week, backup(8), backup(9)]
  for (const [days, going] of [[0.5, [1, 2, 3, 4, 6]], [2.5, [1, 2, 3, 4]], [5.5, []]] as const) {
    expect(unneeded(holdings, new Set(), at(10), days * DAY).map(({ id }) => id)).toEqual(going)
  }
})

test('each set keeps its own newest', () => {
  const holdings = [backup(1, [], 'a'), backup(2, [], 'b'), backup(3, [], 'b'), backup(4, [], 'b'), backup(5, [], 'b')]
  expect(unneeded(holdings, new Set(), at(20)).map(({ id }) => id)).toEqual([2])
})

test('an artifact without a snapshot is not a backup, and is not deleted', () => {
  expect(unneeded([{ ...backup(1), objects: new Set(['lifeboat.json']) }, ...week], new Set(), at(20)).map(({ id }) => id)).toEqual([1, 2, 3, 4])
})

const proof = (day: number, made = 8, kind = 'list-verified') => snapshot(day).replace('snapshots/', 'proofs/').replace('.json.zst', `.202601${String(made).padStart(2, '0')}T000000Z-00000000.${kind}.${'0'.repeat(32)}.json`)
const proofs = (id: number, keys: string[], day = 8): Holding => ({ id, name: 'lifeboat-app', size: 1000, set: 'app', created: at(day), objects: new Set(keys), needs: [] })

test('an artifact with proofs alone goes with the last of their snapshots, or when a newer one has the same', () => {
  const holdings = [...week, proofs(21, [proof(1)]), proofs(22, [proof(1), proof(7)]), proofs(23, [proof(7)]), proofs(24, [proof(99)])]
  const going = (kept: number[], today = 20, all = holdings) => unneeded(all, new Set(kept.map((day) => snapshot(day))), at(today)).map(({ id }) => id)
  expect(going([])).toEqual([1, 2, 3, 4, 21, 22, 24])
  expect(going([1])).toEqual([2, 3, 4, 21, 24])
  expect(going([], 8)).not.toContain(21)
  // Rather than a backup that has copies of the proofs, which goes then.
  expect(going([1], 20, [...holdings.slice(0, 3), { ...backup(4), objects: new Set([snapshot(4), proof(1)]) }, ...holdings.slice(4)])).toEqual([2, 3, 4, 21, 24])
})

test('a proof that names damaged chunks stays as long as an older snapshot, which may need them', () => {
  const damage = proofs(21, [proof(2, 3, 'read-failed-chunks')], 4)
  const going = (kept: number[]) => unneeded([...week, damage], new Set(kept.map((day) => snapshot(day))), at(20)).map(({ id }) => id)
  expect(going([])).toEqual([1, 2, 3, 4, 21])
  expect(going([4])).toEqual([2, 3])
  expect(going([3])).toEqual([4])
})

test('no proof of a snapshot that is kept is lost, whatever else is kept, and wherever a prune is killed', () => {
  const all = week.map(({ id }) => proof(id))
  const carriers = fc.array(fc.record({ keys: fc.subarray(all), day: fc.integer({ min: 2, max: 9 }), backup: fc.constantFrom(undefined, ...week) }), { maxLength: 8 })
  fc.assert(
    fc.property(carriers, fc.subarray(week.map(({ id }) => snapshot(id))), (drawn, kept) => {
      const inBackup = (one: Holding): string[] => drawn.filter((each) => each.backup === one).flatMap(({ keys }) => keys)
      const holdings = [
        ...week.map((one) => ({ ...one, objects: new Set([...one.objects, ...inBackup(one)]) })),
        ...drawn.filter((each) => !each.backup).map(({ keys, day }, index) => proofs(20 + index, keys, day)),
      ]
      const going = new Set(unneeded(holdings, new Set(kept), at(20)))
      const left = new Set(holdings.filter((one) => !going.has(one)).flatMap(({ objects }) => [...objects]))
      const wanted = holdings.flatMap(({ objects }) => [...objects]).filter((key) => kept.includes(provenBy(key)))
      expect(wanted.filter((key) => !left.has(key))).toEqual([])
    }),
  )
})

test('a backup that stays for the sake of a proof in it says of which snapshot', () => {
  const six = { ...backup(6), objects: new Set([snapshot(6), proof(5)]) }
  expect(stayingWithout([backup(5), six], new Set([snapshot(5)]))).toMatchObject([{ id: 6, neededBy: [], proves: [snapshot(5)] }])
})

const part = (id: number, day = 8): Holding => ({ id, name: `lifeboat-app+${id}`, size: 1000, set: 'app', created: at(day), objects: new Set([`chunks/aa/${id}`]), needs: [] })

test('a part goes with the last backup that needs it; one that none needs was left behind, and goes after the grace', () => {
  const holdings = [...week, { ...backup(8, [5]), needs: [needOf(31), needOf(5)] }, part(31), part(32), part(33, 20)]
  expect(unneeded(holdings, new Set([snapshot(8)]), at(20)).map(({ id }) => id)).toEqual([1, 2, 3, 4, 32])
  expect(unneeded(holdings, new Set(), at(40)).map(({ id }) => id)).toEqual([1, 2, 3, 4, 32, 33])
})

test('the oldest artifact that the newest snapshot of a set needs; lost ones and other sets do not count', () => {
  expect(oldestNeeded(week, 'app')).toEqual(at(5))
  expect(oldestNeeded(week.slice(0, 4), 'app')).toEqual(at(1))
  expect(oldestNeeded(week.slice(0, 5), 'app')).toEqual(at(5))
  expect(oldestNeeded(week.filter(({ id }) => id !== 5), 'app')).toEqual(at(7))
  expect(oldestNeeded([...week, backup(8, [], 'other')], 'app')).toEqual(at(5))
  expect(oldestNeeded(week, 'other')).toBeUndefined()
})

test('which snapshots depend on each artifact, parts included', () => {
  const found = dependents([...week, { ...backup(8, [5], undefined), needs: [needOf(31), needOf(5)] }, part(31), part(32)], undefined)
  expect(found.map(({ id, snapshots }) => [id, snapshots.map((key) => Number(key.slice(20, 22)))])).toEqual([
    [1, [1, 2, 3, 4]], [5, [5, 6, 7, 8]], [2, [2, 3]], [3, [3]], [4, [4]], [6, [6]], [7, [7]], [8, [8]], [31, [8]],
  ])
})

test.each([[30, 7.5], [60, 14], [4, 1], [1, 0.25]])('with snapshots that are kept whole for %d days, everything is stored again after %d', (snapshot, days) => {
  expect(fullEveryBy({ snapshot })).toBe(days * DAY)
})

test('which snapshots are whole', () => {
  expect(wholeness(week, undefined)).toEqual({ lost: [], newestWhole: snapshot(7) })
  expect(wholeness(week.filter(({ id }) => id !== 5), undefined)).toEqual({ lost: [snapshot(7), snapshot(6)], newestWhole: snapshot(4) })
  expect(wholeness(week.filter(({ id }) => id !== 1 && id !== 5), undefined)).toEqual({ lost: [7, 6, 4, 3, 2].map((day) => snapshot(day)), newestWhole: undefined })
  expect(wholeness([], undefined)).toEqual({ lost: [], newestWhole: undefined })
  // Of another set not everything may have been looked for; and only some of the lost needed a certain artifact.
  expect(wholeness(week.filter(({ id }) => id !== 5), 'another')).toEqual({ lost: [], newestWhole: undefined })
  expect(wholeness(week.filter(({ id }) => id !== 1 && id !== 5), undefined, 5)).toEqual({ lost: [snapshot(7), snapshot(6)], newestWhole: undefined })
})

test.each([
  { wanted: 30, granted: 90, artifact: 90, snapshot: 30, short: 0 },
  { wanted: undefined, granted: 90, artifact: 90, snapshot: 30, short: 0 },
  { wanted: 60, granted: 90, artifact: 90, snapshot: 60, short: 0 },
  { wanted: 90, granted: 90, artifact: 90, snapshot: 60, short: 30 },
  { wanted: 366, granted: 400, artifact: 400, snapshot: 266, short: 100 },
  { wanted: 0.5, granted: 90, artifact: 90, snapshot: 1, short: 0 },
  { wanted: 7, granted: 1, artifact: 1, snapshot: 1, short: 6 },
])('$wanted days wanted where GitHub grants $granted', ({ wanted, granted, ...expected }) => {
  expect(artifactRetention(wanted, granted)).toEqual(expected)
})

test.each([['14', 14], ['400', 400], ['', 90], [undefined, 90], ['0', 90], ['ninety', 90]])('the runner tells that %j days are granted', (text, days) => {
  expect(grantedDays({ GITHUB_RETENTION_DAYS: text })).toBe(days)
})

const good: Omit<Parts, 'format'> = { name: 'lifeboat-app', run: 1, set: 'app', objects: [['chunks/aa/x', 5, 'ab'.repeat(32)]], needs: backup(2, [1]).needs }

test('parts.json is read as it was written', () => {
  expect(parseParts(Buffer.from(encodeParts(good)))).toEqual({ format: 'lifeboat-parts/1', ...good })
})

test.each([
  ['no JSON', 'x'],
  ['another document', '{}'],
  ['an unknown field', JSON.stringify({ format: 'lifeboat-parts/1', ...good, more: 1 })],
  ['a key that leaves the store', JSON.stringify({ format: 'lifeboat-parts/1', ...good, objects: [['../../etc/passwd', 5, 'ab'.repeat(32)]] })],
  ['an absolute key', JSON.stringify({ format: 'lifeboat-parts/1', ...good, objects: [['/etc/passwd', 5, 'ab'.repeat(32)]] })],
  ['a negative size', JSON.stringify({ format: 'lifeboat-parts/1', ...good, objects: [['a', -1, 'ab'.repeat(32)]] })],
  ['a SHA-256 that is none', JSON.stringify({ format: 'lifeboat-parts/1', ...good, objects: [['a', 1, 'x']] })],
  ['no run', JSON.stringify({ format: 'lifeboat-parts/1', ...good, run: undefined })],
  ['an artifact that is no number', JSON.stringify({ format: 'lifeboat-parts/1', ...good, objects: [], needs: [{ ...good.needs[0], artifact: '1' }] })],
])('parts.json with %s is refused', (_, text) => {
  expect(() => parseParts(Buffer.from(text))).toThrow()
})

// Reports of every kind: the tests look at them in a browser, and `npm run screenshots` makes pictures of them.
import type { PageFacts, PageSnapshot, SetChange } from '../../src/report/page/facts.ts'
import { retain, type RetentionPolicy } from '../../src/repository/retention.ts'
import { HOSTILE } from './example-summaries.ts'

const DAY = 86_400_000
export const MADE = '2026-11-20T07:20:00.000Z'

const sameEveryTime = (index: number): number => ((Math.sin(index * 12.9898) * 43_758.5453) % 1 + 1) % 1

interface Shape {
  set: string
  /** Days between two backups. */
  every: number
  count: number
  /** Bytes of the first one, and of the newest. */
  from: number
  to: number
  sources?: readonly { name: string; database: boolean }[]
  /** Days between two drills; none if 0. */
  drills?: number
  /** Seconds that a recovery takes. */
  recovery?: number
  /** How the newest of them differ from the rest. */
  change?: (snapshot: PageSnapshot, index: number) => Partial<PageSnapshot>
}

function backups({ set, every, count, from, to, sources = [{ name: set, database: true }], drills = 7, recovery = 250, change = () => ({}) }: Shape): PageSnapshot[] {
  return Array.from({ length: count }, (_, index): PageSnapshot => {
    const time = new Date(Date.parse('2026-11-20T02:17:03.000Z') - index * every * DAY).toISOString()
    const part = 1 - index / Math.max(1, count - 1)
    const size = Math.round((from + (to - from) * part) * (1 + 0.01 * sameEveryTime(index)))
    const later = (minutes: number): string => new Date(Date.parse(time) + minutes * 60_000).toISOString()
    const drilled = drills > 0 && Math.floor((index * every) / drills) !== Math.floor(((index - 1) * every) / drills)
    const took = recovery * (0.7 + 0.3 * part + 0.08 * sameEveryTime(index + 7))
    const measured = drilled && index * every < 80
    const snapshot: PageSnapshot = {
      id: `${time.slice(0, 19).replaceAll(/[-:]/g, '')}Z-${(0x5f3a9c1e ^ (index * 2_654_435)).toString(16).padStart(8, '0').slice(0, 8)}`,
      set, time, size, stored: Math.round(size * 0.21), added: index === count - 1 ? Math.round(size * 0.2) : Math.round(size * (0.002 + 0.006 * sameEveryTime(index + 3))),
      tags: index === 34 ? ['before-2.0'] : [], pinned: index === 34, authentic: true, verified: true,
      proofs: [...(drilled ? [{ level: 'drill', result: 'verified', time: later(95) } as const] : []), { level: 'list', result: 'verified', time: later(3) }],
      ...(measured && { drill: { entries: 412, rows: 18_400_000, bytes: size, seconds: { download: took * 0.35, restore: took * 0.65, compare: 40, checks: 2 }, machine: 'linux x64, 4 CPUs, 16.8 GB of memory' } }),
      sources: sources.map(({ name, database }, place) => ({ name, database, size: Math.round(size * (place === 0 ? 0.8 : 0.2 / (sources.length - 1))) })),
      description: '', run: `https://github.com/someone/something/actions/runs/${9_000_000 - index}`,
    }
    return { ...snapshot, ...change(snapshot, index) }
  })
}

function facts(snapshots: readonly PageSnapshot[], more: Partial<PageFacts> = {}): PageFacts {
  const newestFirst = snapshots.toSorted((a, b) => b.time.localeCompare(a.time))
  const whole = newestFirst.find(({ damage }) => damage === undefined)
  return {
    made: MADE, timeZone: 'Europe/Berlin', store: 's3://backups.example.com/lifeboat', destination: 's3:lifeboat/backups', snapshots: newestFirst, keyed: true,
    ...(whole && { restorable: whole.id }), changes: [], leaving: [], warnings: [], copies: [], action: 'OWNER/lifeboat', reference: 'v0.1.0', ...more,
  }
}

function kept(snapshots: readonly PageSnapshot[], policy: RetentionPolicy): PageSnapshot[] {
  const candidates = snapshots.map((one) => ({ id: one.id, set: one.set, time: new Date(one.time), pinned: one.pinned, verified: one.verified, damaged: false, drilled: false, one }))
  return retain(candidates, policy, 'UTC', new Date(MADE)).map(({ snapshot, keep, reasons }) => ({ ...snapshot.one, retention: { keep, reasons } }))
}

const shop: SetChange = {
  set: 'production', from: '2026-10-21T02:17:03.000Z', to: '2026-11-20T02:17:03.000Z', compared: 146,
  items: [
    { source: 'shop', table: 'public.events', before: 6_120_000_000, now: 7_480_000_000, rows: { before: 41_200_400, now: 50_118_233 } },
    { source: 'shop', table: 'public.orders', before: 2_240_000_000, now: 2_410_000_000, rows: { before: 8_120_000, now: 8_733_108 } },
    { source: 'shop', table: 'public.order_lines', before: 1_900_000_000, now: 2_020_000_000, rows: { before: 31_700_000, now: 33_640_121 } },
    { source: 'shop', table: 'public.sessions', before: 812_000_000, now: 96_000_000, rows: { before: 9_800_000, now: 1_120_000 } },
    { source: 'shop', table: 'audit.log_2026_11', before: null, now: 310_000_000 },
    { source: 'shop', table: 'audit.log_2025_11', before: 290_000_000, now: null },
    { source: 'uploads', before: 1_410_000_000, now: 1_520_000_000 },
  ],
}

const production: Shape = {
  set: 'production', every: 1, count: 118, from: 9e9, to: 14.2e9, recovery: 252,
  sources: [{ name: 'shop', database: true }, { name: 'billing', database: true }, { name: 'uploads', database: false }],
}
const POLICY = { daily: 30, weekly: 12, monthly: 12 }
const policy = { retention: 'daily=30 weekly=12 monthly=12' }

const withOthers = [
  ...kept(backups(production), POLICY),
  ...kept(backups({ set: 'analytics', every: 7, count: 22, from: 90e9, to: 141e9, drills: 28, recovery: 2900 }), POLICY),
  ...kept(backups({ set: 'wiki', every: 0.5, count: 150, from: 210e6, to: 240e6, drills: 14, recovery: 9 }), POLICY),
]

const troubled = [
  ...kept(backups({ ...production, change: (_, index) => (index === 0
    ? { verified: false, damage: '3 of its objects are missing from the store', proofs: [{ level: 'read', result: 'failed', time: '2026-11-20T05:12:00.000Z' }] }
    : index === 19 ? { verified: false, damage: 'it needs a chunk that is damaged' } : {}) }), POLICY),
  ...kept(backups({ set: 'crm', every: 1, count: 60, from: 3e9, to: 3.4e9, change: ({ time }, index) => (index === 0 ? { proofs: [{ level: 'list', result: 'verified', time }] } : index === 2 ? { verified: false, proofs: [{ level: 'drill', result: 'failed', time }, { level: 'list', result: 'verified', time }] } : index > 2 && index % 13 === 0 ? { verified: false, proofs: [] } : {}) }), POLICY),
  ...kept(backups({ set: 'files', every: 1, count: 40, from: 20e9, to: 31e9, drills: 0, sources: [{ name: 'home', database: false }], change: (one, index) => (index < 4 ? { partial: true, sources: [{ name: 'home', database: false, size: one.size, partial: ['2 files could not be read: Permission denied'] }] } : {}) }), POLICY),
  ...kept(backups({ set: 'old-blog', every: 1, count: 33, from: 8e8, to: 8.1e8 }).map((one) => ({ ...one, time: new Date(Date.parse(one.time) - 9 * DAY).toISOString() })), POLICY),
]

const hostile = backups({ set: HOSTILE, every: 1, count: 9, from: 1e9, to: 1.1e9, sources: [{ name: HOSTILE, database: true }, { name: '\u202Egnp.exe\u0007', database: false }], change: (_, index) => ({
  tags: [HOSTILE.slice(0, 40)], description: HOSTILE, run: 'javascript:alert(1)', ...(index === 1 && { damage: HOSTILE, verified: false }), id: index === 0 ? 'x'.repeat(200) : `20261119T02170${index}Z-5f3a9c1e`,
  retention: { keep: index !== 3, reasons: [HOSTILE] },
}) })

/** By what they show. */
export const pages: Readonly<Record<string, PageFacts>> = {
  'one set, all is well': facts(kept(backups(production), POLICY), { ...policy, changes: [shop] }),
  'several sets': facts(withOthers, { ...policy, changes: [shop] }),
  'a damaged backup, a failed drill, a part missing, a set that stopped': facts(troubled, {
    ...policy, changes: [shop], leaving: [{ set: 'crm', source: 'crm', table: 'public.contacts', rows: { before: 119_760, now: 0 }, snapshot: '20261118T021703Z-5f3a9c1e', time: '2026-11-18T02:17:03.000Z' }],
    warnings: ['snapshots/crm/20261004T021703Z-5f3a9c1e is damaged: its signature (MAC) does not verify'],
    run: { command: 'backup', good: false, message: 'set production: post-command failed: exit status 3', problems: ['The backup is not in sftp://nas.example.com: connection refused'], advice: ['Look at the log of the run.'] },
    copies: [{ store: 's3://backups.example.com/lifeboat', verified: 'read' }, { store: 'sftp://nas.example.com/backups', problem: 'connection refused' }],
  }),
  'an empty store': facts([]),
  'the first backup': facts(backups({ set: 'production', every: 1, count: 1, from: 1e9, to: 1e9, drills: 0 }), policy),
  'without a key': facts(backups({ set: 'production', every: 1, count: 12, from: 1e9, to: 2e9 }).map(({ sources: _s, description: _d, drill: _f, run: _r, ...one }) => ({ ...one, authentic: false })), { keyed: false }),
  'hostile names': facts(hostile, { store: HOSTILE, destination: `file:/mnt/${HOSTILE}`, retention: HOSTILE, warnings: [HOSTILE], copies: [{ store: HOSTILE, problem: HOSTILE }], action: HOSTILE, reference: HOSTILE,
    leaving: [{ set: HOSTILE, source: HOSTILE, table: HOSTILE, rows: { before: 2000, now: 1 }, snapshot: HOSTILE, time: MADE }],
    changes: [{ set: HOSTILE, from: MADE, to: MADE, compared: 1, items: [{ source: HOSTILE, table: HOSTILE, before: 1, now: 2 }] }], run: { command: 'check', good: false, message: HOSTILE, problems: [HOSTILE], advice: [HOSTILE] } }),
  'a thousand backups': facts([...kept(backups({ ...production, every: 0.25, count: 700 }), { ...POLICY, daily: 400, within: 60 * DAY }), ...kept(backups({ set: 'wiki', every: 1, count: 300, from: 1e8, to: 2e8 }), POLICY)], policy),
}

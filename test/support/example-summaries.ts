// A summary of every kind, ordinary and hostile: the tests look at them in a browser, and `npm run screenshots` makes pictures of them.
import type { BackupResult } from '../../src/commands/backup/result.ts'
import type { ListResult } from '../../src/commands/list/result.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import type { VerifyResult } from '../../src/commands/verify/result.ts'
import { listSummary } from '../../src/commands/list/report.ts'
import { backupSummary } from '../../src/commands/backup/summary.ts'
import { fallbackText } from '../../src/commands/backup/newest-found.ts'
import { failureSummary } from '../../src/report/failure.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { allSummary } from '../../src/commands/restore/all-report.ts'
import { restoreSummary } from '../../src/commands/restore/report.ts'
import { goingBack } from '../../src/commands/restore/safety.ts'
import { finished } from '../../src/commands/restore/part.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { inWorkflow } from '../../src/actions/spelling.ts'
import { marked } from '../../src/marks.ts'
import { verifySummary } from '../../src/commands/verify/report.ts'
import type { CheckResult } from '../../src/commands/check/result.ts'
import type { CopyResult } from '../../src/commands/copy/result.ts'
import type { DoctorResult } from '../../src/commands/doctor/result.ts'
import type { SetsResult } from '../../src/commands/backup/sets-result.ts'
import { setsSummary } from '../../src/commands/backup/sets-report.ts'
import { planSummary } from '../../src/commands/plan/report.ts'
import type { PlannedItem, PlanResult } from '../../src/commands/plan/result.ts'
import { ownSet } from '../../src/commands/sets/set-names.ts'
import { verdictSummary } from '../../src/commands/verdict/report.ts'
import type { VerdictResult } from '../../src/commands/verdict/result.ts'
import type { PruneResult } from '../../src/commands/prune/result.ts'
import { checkSummary } from '../../src/commands/check/report.ts'
import { copySummary } from '../../src/commands/copy/report.ts'
import { doctorSummary } from '../../src/commands/doctor/report.ts'
import { pruneSummary } from '../../src/commands/prune/report.ts'

export const context = { action: 'OWNER/lifeboat', reference: 'v0.1.0', destination: 'artifact', timeZone: 'Europe/Berlin', now: new Date('2026-11-20T05:00:00Z') }
export const HOSTILE = '<img src=x onerror=alert(1)>|`*_~~[x](javascript:alert(1))![y](z)</td></details><script>alert(2)</script> https://evil.example www.evil.example a@evil.example @someone #1'
const LONG = 'x'.repeat(900)

const DAY = 86_400_000
export const recent: BackupResult['recent'] = Array.from({ length: 20 }, (_, index) => ({
  snapshot: `202611${String(20 - index).padStart(2, '0')}T020000Z-5f3a9c1e`,
  time: new Date(Date.parse('2026-11-20T02:00:00Z') - index * DAY).toISOString(),
  size: 1_250_000_000 - index * 9_000_000,
  stored: 212_000_000 - index * 1_000_000,
  added: index === 19 ? 193_000_000 : [3_100_000, 2_500_000, 24_000_000, 900_000][index % 4]!,
}))
export const backup: BackupResult = {
  snapshot: recent[0]!.snapshot, set: 'production', time: recent[0]!.time, size: 1_250_000_000, stored: 212_000_000, added: 3_100_000, chunks: 600, newChunks: 12, deltaChunks: 8, levels: [{ level: 3, chunks: 3 }, { level: 1, chunks: 1 }], seconds: 4.4, shrunk: [], largest: [{ source: 'shop', table: 'public.orders', bytes: 612_000_000, before: 600_000_000 }, { source: 'shop', table: HOSTILE, bytes: 90_000_000, before: null }, { source: 'uploads', bytes: 80_000_000, before: 83_000_000 }], onShrink: 'warn', verified: 'list',
  sources: [{ name: 'shop', kind: 'postgres', size: 1_000_000_000, added: 3_000_000, seconds: 4 }, { name: 'billing', kind: 'postgres', size: 250_000_000, added: 100_000, seconds: 0.4 }],
  recent,
  destinations: [{ name: 's3://backups/production', verified: 'list' }, { name: `file:/mnt/${HOSTILE}`, verified: 'none', problem: HOSTILE }],
  complete: false,
  recentTotal: { snapshots: 20, size: 25_000_000_000, unique: 1_500_000_000, stored: 310_000_000, objects: 800, differences: { objects: 60, stored: 12_000_000, alone: 40_000_000 } },
}
export const verify: VerifyResult = { snapshot: backup.snapshot, set: 'production', time: backup.time, level: 'read', result: 'verified', problems: [], damaged: [], good: [], advice: [], versions: {}, chunks: 600, bytes: 1_250_000_000, seconds: 3, sources: [{ name: 'shop', kind: 'postgres', size: 1_000_000_000, entries: 214, result: 'verified', problems: [] }] }
export const restore: RestoreResult = {
  snapshot: backup.snapshot, set: 'production', time: backup.time, database: 'shop', target: 'db.example.com:5432/shop_restored', mode: 'empty', size: 1_000_000_000, entries: 214, restored: 212,
  errors: ['pg_restore: error: could not execute query: ERROR:  role "reporting" does not exist', `Command was: GRANT SELECT ON TABLE public.orders TO reporting; ${HOSTILE} ${LONG}`], seconds: 14.2,
}
const until = '2026-11-27T02:00:00.000Z'
const spelling = new Redaction({ spelling: inWorkflow })
/** With its state afterwards, as a workflow shows it. */
const ended = (result: Omit<RestoreResult, 'seconds'>, given: Record<string, string> = {}): RestoreResult => {
  const inputs = parseInputs('restore', { destination: 's3://backups', 'encryption-key': 'p'.repeat(20), 'database-url': 'postgres://db.example.com/shop', timezone: context.timeZone, ...given }, { GITHUB_REPOSITORY: 'someone/something' })
  return spelling.applyToResult({ ...finished(result, inputs, {}, { name: 'shop', safety: result.safety && goingBack(result.safety, 'shop', 'database') }), seconds: 14.2 })
}
const clean: RestoreResult = ended({
  ...restore, target: 'db.example.com:5432/shop', mode: 'clean', restored: 214, errors: [], left: 'everything', databaseSettings: 'left as they are', took: { verify: 0.4, safety: 3.1, download: 2.2, restore: 8.5 },
  safety: { snapshot: recent[1]!.snapshot, set: 'production.safety', until },
})
const swap: RestoreResult = ended({
  ...restore, target: 'db.example.com:5432/shop', mode: 'swap', restored: 219, entries: 219, errors: [], left: 'everything', databaseSettings: 'applied',
  took: { verify: 0.4, download: 2.2, restore: 8.5, indexes: 2.1, count: 0.9, exchange: 0.3 }, swapped: { kept: 'shop_before_20261120T050000Z', until, pause: 42 },
})
const volume: RestoreResult = ended({ ...restore, database: undefined, volume: 'uploads', target: '/srv/app/uploads', mode: 'overwrite', entries: 4120, restored: 4118, size: 700_000_000, errors: ['tar: 2026/11/a.jpg: Cannot open: Permission denied', 'tar: 2026/11/b.jpg: Cannot open: Permission denied'] }, { target: '/srv/app/uploads', 'database-url': '' })
const listed: ListResult['snapshots'] = recent.flatMap(({ snapshot, ...sizes }, index) => [
  { ...sizes, id: snapshot, set: index % 5 === 4 ? 'before-deploy' : 'production', chunks: 600, tags: ['nightly', 'release=1.4'], key: '0'.repeat(16), description: index === 1 ? `${HOSTILE} ${LONG}` : 'nightly', sources: [{ name: 'shop', kind: 'postgres', size: 1 }],
    pinned: index === 3, authentic: index !== 2, verified: true, proofs: [{ level: 'list', result: index === 4 ? 'failed' : 'verified', time: sizes.time }, { level: 'drill', result: 'verified', time: sizes.time }],
    run: index === 1 ? `https://evil.example/${HOSTILE}` : 'https://github.com/someone/something/actions/runs/1234567', retention: { keep: index % 2 === 0, reasons: ['last 1 of 3', 'daily 2026-11-20'] }, expires: '2026-12-20T05:00:00.000Z' },
])
const unreachable = { message: 'cannot connect to db.abc.example:5432: network unreachable', causes: ['connection to server at "2001:db8::1" failed'], hint: "This host has only an IPv6 address, which hosted runners cannot reach; use the session pooler's URL.", status: 1 as const }

const prune: PruneResult = {
  set: 'production', dryRun: false, kept: 17, deleted: 3, seconds: 1.2,
  snapshots: recent.map(({ snapshot, time, size }, index) => ({ id: snapshot, time, size, keep: index < 17, reasons: index < 17 ? ['last 17 of 17'] : ['no rule keeps it'] })),
  chunks: { deleted: { objects: 41, bytes: 9_000_000 }, trashed: { objects: 12, bytes: 2_400_000 }, waiting: { objects: 3, bytes: 60_000 }, obstacles: [`another backup is running: ${HOSTILE}`] },
}
const doctor: DoctorResult = {
  inputs: [{ name: 'destination', from: 'lifeboat.yml, line 1', value: `s3://backups/production${HOSTILE}` }, { name: 'encryption-key', from: 'input' }],
  checks: [
    { about: 's3://backups/production', check: 'put', state: 'good', says: 'an object was put, read and deleted in 0.2 s' },
    { about: 's3://backups/production', check: 'clock', state: 'warning', says: "the store's clock is 3 min ahead", fix: 'Set the clock of the machine that is wrong.' },
    { about: 'shop', check: 'version', state: 'good', says: 'PostgreSQL 17.5, pg_dump 17' },
    { about: 'shop', check: 'row security', state: 'bad', says: `the role cannot read all rows of public.orders ${HOSTILE}`, fix: 'Use a role with BYPASSRLS.' },
  ],
}
const check: CheckResult = {
  store: 's3://backups/production', time: context.now.toISOString(), problems: ['set production: the newest verified snapshot is 3 days old, and none may be older than 26 h'],
  sets: [
    { set: 'production', newest: recent[0]!.snapshot, verified: { snapshot: recent[3]!.snapshot, time: recent[3]!.time, level: 'read', verifiedAt: '2026-11-20T02:20:00.000Z', partial: true }, proof: { snapshot: recent[3]!.snapshot, time: recent[3]!.time, level: 'read' }, unsound: [], missing: [], problems: ['stale'] },
    { set: 'before-deploy', newest: recent[4]!.snapshot, verified: { snapshot: recent[4]!.snapshot, time: recent[4]!.time, level: 'read', verifiedAt: '2026-11-20T02:20:00.000Z' }, proof: { snapshot: recent[4]!.snapshot, time: recent[4]!.time, level: 'read' }, unsound: [], missing: [], problems: [] },
  ],
  advice: ['Run the backup now. Then look at its last runs: they failed, did not start, or did not verify what they stored.'],
  inactive: [{ name: 'Backup', path: '.github/workflows/backup.yml' }],
}
const copy: CopyResult = {
  from: 'artifact', to: 's3://backups/production', bytes: 212_000_000, seconds: 12,
  snapshots: [
    { snapshot: recent[1]!.snapshot, set: 'production', outcome: 'was there', bytes: 0, chunks: 0 },
    { snapshot: recent[0]!.snapshot, set: 'production', outcome: 'copied', bytes: 212_000_000, chunks: 600 },
    { snapshot: recent[2]!.snapshot, set: 'production', outcome: 'failed', bytes: 0, chunks: 0, problem: HOSTILE },
  ],
}

const id = '20261120T020000Z-5f3a9c1e'
const item = (name: string, size: number): PlannedItem => ({ set: ownSet('database', name), noun: 'database', name, size })
const plan: PlanResult = {
  plan: id, time: '2026-11-20T02:00:00.000Z', size: 61e9, notChosen: 2,
  leftOut: [{ name: HOSTILE, why: 'may not be connected to by this role', expected: false }, { name: 'template1', why: 'is a template', expected: true }],
  jobs: [
    { job: '1 of 2', size: 31e9, items: [item('shop', 30e9), item(HOSTILE, 1e9)] },
    { job: '2 of 2', size: 30e9, items: [item('crm', 18e9), item('billing', 12e9), { set: 'volume.uploads', noun: 'volume', name: 'uploads', size: 0 }] },
  ],
}
const sets: SetsResult = {
  plan: id, size: 31e9, added: 2e8, seconds: 420, leftOut: [],
  sets: [
    { set: 'shop', noun: 'database', name: 'shop', backup: { ...backup, set: 'shop', first: false, sources: [{ ...backup.sources[0]!, partial: [HOSTILE] }], destinations: [{ name: 's3://backups/fleet', verified: 'list' }], complete: true } },
    { set: 'crm', noun: 'database', name: 'crm', backup: { ...backup, set: 'crm', first: true, sources: [], complete: false, destinations: [{ name: HOSTILE, verified: 'none', problem: HOSTILE }] } },
    { set: ownSet('database', HOSTILE), noun: 'database', name: HOSTILE, problem: `cannot connect to ${HOSTILE}`, hint: HOSTILE },
  ],
}
const verdict: VerdictResult = {
  store: `s3://backups/fleet`, plan: id, planned: plan.time, time: context.now.toISOString(), done: 2, unverified: 0, failed: 1, missing: 2, size: 31e9, added: 2e8,
  oldest: { set: 'billing', time: recent[3]!.time }, unplanned: ['new-shop'],
  sets: [
    { set: 'shop', job: '1 of 2', state: 'done', snapshot: recent[0]!.snapshot, made: recent[0]!.time, verified: 'list', partial: true },
    { set: 'uploads', job: '1 of 2', state: 'done', snapshot: recent[0]!.snapshot, made: recent[0]!.time },
    { set: 'crm', job: '1 of 2', state: 'failed', snapshot: recent[1]!.snapshot, made: recent[1]!.time, why: HOSTILE },
    { set: 'billing', job: '2 of 2', state: 'missing', snapshot: recent[3]!.snapshot, made: recent[3]!.time },
    { set: 'reporting', job: '2 of 2', state: 'missing' },
  ],
}

/** A summary of every kind, by what it shows. */
export const summaries: Readonly<Record<string, string>> = {
  backup: backupSummary(backup, context),
  'first backup, not verified': backupSummary({ ...backup, verified: 'none', recent: recent.slice(0, 1), sources: backup.sources.slice(0, 1) }, { ...context, destination: 'file:/mnt/backups' }),
  'hostile backup': backupSummary({ ...backup, set: HOSTILE, sources: [{ ...backup.sources[0]!, name: HOSTILE, partial: [`files could not be read: ${HOSTILE}`, 'roles and tablespaces are not in it: no permission'], warnings: ['row security is on'] }, { ...backup.sources[1]!, name: LONG }] }, { ...context, destination: `file:${HOSTILE}` }),
  'backup that shrank': backupSummary({ ...backup, checked: { chunks: 12, bytes: 1e7, damaged: 1 }, onShrink: 'fail', shrunk: [{ source: HOSTILE, kind: 'postgres', table: `${HOSTILE}${LONG}`, measure: 'rows', before: 5000, now: null }] }, context),
  'backup failed': failureSummary('backup', unreachable, fallbackText({ set: 'production', snapshot: recent[1]!.snapshot, time: recent[1]!.time }, context.destination, context)),
  'hostile failure': failureSummary('backup', { message: `${HOSTILE} ${LONG}`, causes: [HOSTILE], hint: HOSTILE, status: 1 }, fallbackText({ set: HOSTILE, unknown: HOSTILE }, context.destination, context)),
  'could not verify': failureSummary('backup', { message: 'snapshot was stored but could not be verified: no client program of PostgreSQL 19', causes: [], status: 3 }, fallbackText({ set: 'production', none: 'empty' }, context.destination, context)),
  verified: verifySummary(verify, context),
  damaged: verifySummary({ ...verify, result: 'failed', problems: ['chunk chunks/5f/5f3a is missing', HOSTILE], advice: ['Back up again: the next backup stores again what is damaged, so its snapshot is whole. Snapshots that are there already stay damaged.', `To restore now, use snapshot ${recent[1]!.snapshot}, the newest that is whole and not known to be damaged.`], sources: [{ ...verify.sources[0]!, result: 'failed', problems: ['chunk chunks/5f/5f3a is missing'] }] }, context),
  'all verified, some damaged': verifySummary({ ...verify, result: 'failed', problems: [HOSTILE], advice: [`Back up again. ${HOSTILE}`], snapshots: [{ ...verify, result: 'failed', sources: [{ ...verify.sources[0]!, name: HOSTILE, result: 'failed', problems: [HOSTILE] }] }, verify] }, context),
  'verification in vain': verifySummary({ ...verify, result: 'could not verify', problems: ['no client program of PostgreSQL 19 is installed'] }, context),
  'restore with errors': restoreSummary(restore, context),
  restored: restoreSummary({ ...restore, restored: 214, errors: [] }, context),
  'restored by swap': restoreSummary(swap, context),
  'restored, clean with a safety backup': restoreSummary(clean, context),
  'restored in part': restoreSummary(ended({ ...restore, restored: 212, left: 'part' }), context),
  'not restored': restoreSummary(ended({ ...restore, mode: 'create', restored: 0, left: 'dropped' }), context),
  'volume restored with errors': restoreSummary(volume, context),
  'all restored': allSummary(spelling.applyToResult({ mode: 'swap', snapshot: restore.snapshot, set: restore.set, time: restore.time, seconds: 31, sources: [swap, { ...volume, mode: 'empty', errors: [], restored: 4120, after: ended({ ...volume, mode: 'empty', errors: [] }).after! }] }), context),
  'not all restored': allSummary(spelling.applyToResult({ mode: 'swap', snapshot: restore.snapshot, set: restore.set, time: restore.time, seconds: 31, sources: [swap, volume, { database: HOSTILE, problem: `db.example.com:5432/billing is as it was before: ${HOSTILE}`, hint: marked`Restore it alone with ‹database›.`, seconds: 2.1 }], notResumed: 'post-command ended with status 1: app maintenance off' }), context),
  'restore interrupted': failureSummary('restore', spelling.applyToResult({ message: 'interrupted: of the sources of the snapshot:\n- shop: db.example.com:5432/shop is partly restored: it has 12 tables now; rows, indexes and constraints may be missing\n- uploads: /srv/app/uploads is completely restored', causes: [], hint: 'Drop and create that database before you restore again.', status: 130 })),
  'restore refused': failureSummary('restore', spelling.applyToResult({ message: 'the restore cannot start, and nothing was changed:\n1. db.example.com:5432/shop has 3 free connections, and the restore needs 5\n2. db.example.com:5432/shop has PostgreSQL 14, which does not know everything that the backup of PostgreSQL 18 has: a virtual generated column (PostgreSQL 18): table public.orders; NULLS NOT DISTINCT (PostgreSQL 15): constraint public.codes one_null, index public.also_one', causes: [], hint: marked`For 1: Raise max_connections, stop clients, or lower ‹jobs›.\nFor 2: Restore into PostgreSQL 18 or newer. With ‹allow-older: true› and ‹mode: empty›, everything else is restored, and these objects are listed as errors.`, status: 1 })),
  'restored bucket': restoreSummary({ ...restore, volume: HOSTILE, target: `s3://assets/${HOSTILE}`, mode: 'overwrite', restored: 214, unchanged: 211, deleted: 1, errors: [] }, context),
  list: listSummary({ store: 'the artifacts of someone/something', listed: context.now.toISOString(), snapshots: listed.map((one, index) => (index === 0 ? { ...one, damage: HOSTILE } : one)), unsound: [{ snapshot: listed[0]!.id, why: `${HOSTILE}${LONG}` }], restorable: listed[1]!.id }, context),
  'backup of databases and volumes': backupSummary({ ...backup, complete: true, destinations: backup.destinations.slice(0, 1), sources: [...backup.sources, { name: 'uploads', kind: 'directory', size: 700_000_000, added: 1_000_000, seconds: 2 }] }, context),
  'ordinary list': listSummary({ store: 's3://backups/production', listed: context.now.toISOString(), snapshots: listed.map((one, index) => ({ ...one, description: 'every night', set: 'production', authentic: true, pinned: index === 3, proofs: [{ level: 'read', result: 'verified', time: one.time }] })), unsound: [] }, context),
  pruned: pruneSummary(prune, context),
  doctor: doctorSummary(doctor),
  stale: checkSummary(check, context),
  fresh: checkSummary({ ...check, sets: check.sets.slice(1), problems: [], advice: [], inactive: [] }, context),
  copied: copySummary(copy),
  planned: planSummary(plan),
  'backup of sets': setsSummary(sets),
  'some sets missing': verdictSummary(verdict, context),
  'all sets there': verdictSummary({ ...verdict, sets: [{ set: 'shop', job: '1 of 1', state: 'done', snapshot: recent[0]!.snapshot, made: recent[0]!.time, verified: 'list' }], done: 1, failed: 0, missing: 0, unplanned: [], oldest: { set: 'shop', time: recent[0]!.time } }, context),
}

import * as fc from 'fast-check'
import YAML from 'yaml'
import type { BackupResult } from '../../src/commands/backup/result.ts'
import type { ListedSnapshot, ListResult } from '../../src/commands/list/result.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import type { VerifyResult } from '../../src/commands/verify/result.ts'
import { escapeMarkdown, fenced } from '../../src/report/markdown.ts'
import { restoreCommand, restoreStep, shellWord } from '../../src/report/recipe.ts'
import { restoring } from '../../src/report/summary-parts.ts'
import { doctorSummary } from '../../src/commands/doctor/report.ts'
import { pruneSummary } from '../../src/commands/prune/report.ts'
import { listSummary, listText } from '../../src/commands/list/report.ts'
import { backupText } from '../../src/commands/backup/report.ts'
import { backupSummary } from '../../src/commands/backup/summary.ts'
import { fallbackText, newestSentence } from '../../src/commands/backup/newest-found.ts'
import { failureSummary } from '../../src/report/failure.ts'
import { restoreSummary, restoreText } from '../../src/commands/restore/report.ts'
import { verifySummary } from '../../src/commands/verify/report.ts'
import { inWorkflow } from '../../src/actions/spelling.ts'
import { spelled } from '../../src/marks.ts'

const context = { action: 'OWNER/lifeboat', reference: 'v0.1.0', destination: 'file:/mnt/my backups', timeZone: 'UTC', now: new Date('2026-11-20T05:00:00Z') }
const backup: BackupResult = {
  snapshot: '20261120T020000Z-5f3a9c1e', set: 'app', time: '2026-11-20T02:00:00.000Z', size: 1_250_000_000, stored: 192_000_000, added: 3_100_000, chunks: 600, newChunks: 12, deltaChunks: 8, levels: [{ level: 3, chunks: 3 }, { level: 1, chunks: 1 }],
  seconds: 4.4, shrunk: [], largest: [], onShrink: 'warn', verified: 'list',
  sources: [{ name: 'shop', kind: 'postgres', size: 1_000_000_000, added: 3_000_000, seconds: 4 }, { name: 'billing', kind: 'postgres', size: 250_000_000, added: 100_000, seconds: 0.4 }],
  recent: [{ snapshot: '20261120T020000Z-5f3a9c1e', time: '2026-11-20T02:00:00.000Z', size: 1_250_000_000, stored: 192_000_000, added: 3_100_000 }],
  destinations: [{ name: context.destination, first: true, verified: 'list' }],
  complete: true,
  recentTotal: { snapshots: 20, size: 25_000_000_000, unique: 1_500_000_000, stored: 310_000_000, objects: 800, differences: { objects: 60, stored: 12_000_000, alone: 40_000_000 } },
}
const restore: RestoreResult = { snapshot: backup.snapshot, set: 'app', time: backup.time, database: 'shop', target: 'db:5432/new', mode: 'empty', size: 1000, entries: 214, restored: 214, errors: [], seconds: 5 }
const verify: VerifyResult = { snapshot: backup.snapshot, set: 'app', time: backup.time, level: 'read', result: 'verified', problems: [], damaged: [], good: [], advice: [], versions: {}, chunks: 600, bytes: 1000, seconds: 3, sources: [{ name: 'shop', kind: 'postgres', size: 1000, entries: 214, result: 'verified', problems: [] }] }

const listed = { pinned: false, authentic: true, verified: false, proofs: [] }
const listing = { store: 'file:/b', listed: '2026-11-20T05:00:00.000Z', unsound: [] }

/** The characters that a hostile name needs to become markup: none of them may stay. */
const MARKUP = /[<>|`*_[\]{}~!\\#@"']/

test("a backup's summary says what was stored and how to restore that very snapshot", () => {
  const summary = backupSummary(backup, context)
  expect(summary).toMatch(/^### ✅ Lifeboat: 2 databases backed up and verified\n/)
  expect(summary).toContain('2026-11-20 02:00:00 UTC, the first of its set. Read back: every chunk')
  const another = { ...backup, destinations: [{ name: context.destination, verified: 'list' as const }, { ...backup.destinations[0]!, name: 's3://b' }] }
  expect(backupSummary(another, context)).toContain('2026-11-20 02:00:00 UTC, the first of its set in `s3://b`. Read back: every chunk')
  const otherwise = backupSummary({ ...backup, otherKey: { snapshots: 5, fingerprints: ['1cb4000000000000'] } }, context)
  expect(otherwise).toMatch(/^### ⚠️ Lifeboat: 2 databases backed up and verified\n/)
  expect(otherwise).not.toContain('the first of its set')
  expect(otherwise).toContain('5 snapshots of set app were made with another key &#40;1cb4000000000000&#41;. The key of this backup cannot open them, and theirs')
  expect(summary).toContain('| `shop` | 1.00 GB | 3.00 MB | 99.7 % | 250 MB/s | 4.0 s |')
  expect(summary).toContain('| **Total** | 1.25 GB | 3.10 MB | 99.7 % | 284 MB/s | 4.4 s |')
  expect(summary).toContain('- uses: OWNER/lifeboat/restore@v0.1.0')
  expect(summary).toContain('    destination: "file:/mnt/my backups"\n    set: app\n    snapshot: 20261120T020000Z-5f3a9c1e\n    all: true\n    mode: create\n```')
  expect(summary).toContain("restore \\\n  --destination 'file:/mnt/my backups' \\\n  --set app \\\n  --snapshot 20261120T020000Z-5f3a9c1e \\\n  --all \\\n  --mode create\n")
  expect(summary).toContain('`LIFEBOAT_ENCRYPTION_KEY` and `DATABASE_URL` (the target server, without the name of a database) set:')
})

test('one database is restored by an exchange, with its name as the confirmation', () => {
  const content = { destination: 's3://b/c', set: 'app', snapshot: backup.snapshot, databases: ["the shop's"] }
  expect(restoreCommand('lifeboat', content)).toMatch(/ --snapshot \S+ --mode swap --confirm 'the shop'\\''s'$/)
  // The database itself may have another name than the source.
  expect(restoreCommand('lifeboat', { ...content, confirm: 'the store' })).toMatch(/ --snapshot \S+ --mode swap --confirm 'the store'$/)
  expect(YAML.parse(restoreStep('OWNER/lifeboat', 'v1', content))).toMatchObject([{ with: { mode: 'swap', confirm: "the shop's" } }])
  expect(restoring(content, context)).toContain('As a step of a workflow, into a database that exists (mode create makes a new one):')
})

test('volumes of a snapshot with several sources have a line each in map, as a shell and as YAML take them', () => {
  const content = { destination: 's3://b/c', set: 'app', snapshot: backup.snapshot, databases: ['shop'], volumes: ["it's", 'a ${{ b'] }
  expect(restoreCommand('lifeboat', content)).toMatch(/--all --mode create --map 'it'\\''s=\.\/it'\\''s' --map 'a \$\{\{ b=\.\/a \$\{\{ b'$/)
  const mapOf = (volumes: string[]): unknown => {
    const map = YAML.parseDocument(restoreStep('OWNER/lifeboat', 'v1', { ...content, volumes })).getIn([0, 'with', 'map'])
    return String(map).trimEnd().replaceAll("${{ '${{' }}", '${{').split('\n').map((line) => line.slice(0, line.length / 2 - 1))
  }
  for (const volumes of [["it's", 'a ${{ b'], [' x', '#', '- a: b'], ['\t"', '\u2028', '}}']]) expect(mapOf(volumes)).toEqual(volumes)
  expect(restoreStep('OWNER/lifeboat', 'v1', { ...content, databases: [], volumes: ['one'] })).toMatch(/\n {4}snapshot: \S+\n {4}target: "\.\/one"$/)
})

test('a backup that one of its destinations lacks says which, and is a failure only where all are required', () => {
  const destinations: BackupResult['destinations'] = [
    { name: 's3://gone/bucket', verified: 'none', problem: 'there is no bucket <gone>' },
    { name: 'file:/mnt/backups', verified: 'list', prune: { skipped: 'the backup shrank' } },
  ]
  const failed = backupSummary({ ...backup, destinations, complete: false }, context)
  expect(failed).toMatch(/^### ❌ Lifeboat: 2 databases backed up and verified, in 1 of 2 destinations\n/)
  expect(failed).toContain('**Not in `s3://gone/bucket`**: there is no bucket &#60;gone&#62;')
  expect(failed).toContain('`file:/mnt/backups`: Nothing was pruned&#58; the backup shrank')
  expect(failed).toContain('destination: file:/mnt/backups')
  expect(backupSummary({ ...backup, destinations, complete: true }, context)).toMatch(/^### ⚠️ Lifeboat/)
})

test('a backup that was not verified says so', () => {
  expect(backupSummary({ ...backup, verified: 'none' }, context)).toMatch(/^### ⚠️ Lifeboat: 2 databases backed up, not verified\n/)
})

test('a backup tells how old the newest before it is', () => {
  const before = { snapshot: '20261117T010000Z-00000000', time: '2026-11-17T01:00:00.000Z', size: 1, stored: 1, added: 1 }
  const summary = backupSummary({ ...backup, destinations: [{ name: context.destination, verified: 'list' }], recent: [{ ...before, snapshot: backup.snapshot, time: backup.time }, before] }, context)
  expect(summary).toContain('2026-11-20 02:00:00 UTC; the newest before this one is 3 days 1 h old.')
  expect(summary).toContain('The last 20 backups of this set, 25.0 GB in all, take 310 MB in the store: at least 23.5 GB (94.0 %) was there already, and what is similar saves about 28.0 MB: 60 differences in 12.0 MB in place of 40.0 MB.')
})

test('a backup names the largest tables and volumes, and how much they grew', () => {
  const largest = [
    { source: 'shop', table: 'public.orders', bytes: 412_000_000, before: 400_000_000 },
    { source: 'uploads', bytes: 300_000_000, before: 303_000_000 },
    { source: 'shop', table: 'public.events', bytes: 9_000, before: null },
  ]
  expect(backupSummary({ ...backup, largest }, context)).toContain([
    '| Largest tables and volumes | Size at the source | Since the backup before |',
    '| --- | ---: | ---: |',
    '| `public.orders` of `shop` | 412 MB | +12.0 MB |',
    '| `uploads` | 300 MB | \u22123.00 MB |',
    '| `public.events` of `shop` | 9.00 kB | new |',
  ].join('\n'))
  expect(backupSummary({ ...backup, largest: [{ source: 'uploads', bytes: 5 }] }, context)).toContain('| Largest tables and volumes | Size at the source |\n')
})

const of = (...most: (readonly [string, number])[]) => ({ most: most.map(([table, added]) => ({ table, added })), others: { tables: 2, added: 1000 }, rest: 500 })

test('a backup names the tables for which most was added', () => {
  const [shop, billing] = [backup.sources[0]!, backup.sources[1]!]
  const [orders, odd] = [['public.orders', 2_900_000], ['public.a|b', 20_000]] as const
  const sources = [{ ...shop, addedByTable: of(orders, odd) }, { ...billing, addedByTable: of(['public.bills', 90_000]) }]
  const summary = backupSummary({ ...backup, sources }, context)
  expect(summary).toContain([
    '| Most was added for | Added | Of all that was added |',
    '| --- | ---: | ---: |',
    '| `public.orders` of `shop` | 2.90 MB | 93.5 % |',
    '| `public.bills` of `billing` | 90.0 kB | 2.9 % |',
  ].join('\n'))
  expect(summary).not.toContain('public.a|b')
  expect(backupText({ ...backup, sources }, { ...context, program: 'lifeboat' })).toContain('  shop: added about 2.90 MB for public.orders, 20.0 kB for public.a|b, 1.00 kB for 2 other tables, 500 B for what is in no table (definitions, roles, large objects)\n')
  // Large objects may be all that grew.
  expect(backupText({ ...backup, sources: [{ ...shop, addedByTable: { ...of(), others: { tables: 0, added: 0 } } }] }, { ...context, program: 'lifeboat' })).toContain('  shop: added about 500 B for what is in no table (definitions, roles, large objects)\n')
  expect(backupSummary({ ...backup, sources: [{ ...shop, addedByTable: of() }] }, context)).not.toContain('Most was added')
})

test('the levels of compression, fast by its name', () => {
  expect(backupText({ ...backup, levels: [{ level: -3, chunks: 4 }, { level: 3, chunks: 1 }] }, { ...context, program: 'lifeboat' })).toContain('4 chunks at level fast of zstd, 1 at level 3')
})

test('gaps of a backup stand above its figures', () => {
  const sources = [{ ...backup.sources[0]!, partial: ['files could not be read: a.txt', 'roles and tablespaces are not in it: no permission'], warnings: ['row security is on'] }]
  const summary = backupSummary({ ...backup, sources }, context)
  expect(summary).toContain('**Not everything is in this backup:**\n\n- ⚠️ shop&#58; in part&#58; files could not be read')
  expect(summary).toContain('- ⚠️ shop&#58; in part&#58; roles and tablespaces')
  expect(summary).toContain('- ⚠️ shop&#58; warning&#58; row security is on')
  expect(summary.indexOf('Not everything')).toBeLessThan(summary.indexOf('| Source |'))
})

test('backups in artifacts say what permission and which variables a restore needs', () => {
  const summary = backupSummary({ ...backup, destinations: [{ name: 'artifact', verified: 'list' }] }, context)
  expect(summary).toContain('# permissions of the job: actions: read\n- uses: OWNER/lifeboat/restore@v0.1.0')
  expect(summary).toContain('`GITHUB_TOKEN` and `GITHUB_REPOSITORY` set:')
})

test('a restore with errors does not look like a success, and shows each error', () => {
  expect(restoreSummary(restore, context)).toContain('✅ Lifeboat: `shop` restored\n')
  const summary = restoreSummary({ ...restore, restored: 213, errors: ['relation "x" exists', '```\n<b>not bold</b>'] }, context)
  expect(summary).toContain('❌ Lifeboat: `shop` restored with 2 errors')
  expect(summary).toContain('213 of 214')
  expect(summary).toContain('````text\nrelation "x" exists\n```\n<b>not bold</b>\n````')
})

test('a restore into a bucket says what was there already, and what it deleted', () => {
  const bucket: RestoreResult = { ...restore, volume: 'assets', target: 's3://assets', mode: 'overwrite', unchanged: 211, deleted: 1 }
  expect(restoreText(bucket, { ...context, program: 'lifeboat' })).toMatch(/entries +214 of 214 restored\n +unchanged +211 objects of them, there already\n +deleted +1 object that the backup does not have$/)
  expect(restoreSummary(bucket, context)).toContain('\n\nUnchanged, there already: 211 objects of them. Deleted, not in the backup: 1 object.')
  for (const text of [restoreText(restore, { ...context, program: 'lifeboat' }), restoreSummary(restore, context)]) expect(text).not.toMatch(/unchanged|deleted/i)
})

test('the three results of a verification look different', () => {
  const headlines = (['verified', 'failed', 'could not verify'] as const).map((result) => verifySummary({ ...verify, result, problems: ['p'] }, context).split('\n')[0])
  expect(new Set(headlines).size).toBe(3)
  expect(headlines.map((headline) => headline!.includes('✅'))).toEqual([true, false, false])
})

test('names from outside stay text: in the table, in the headline, in the code', () => {
  const name = 'a|b</td><script>`*_[x](y)\n| # @all ${{ secrets.KEY }}'
  const summary = backupSummary({ ...backup, sources: [{ ...backup.sources[0]!, name }, backup.sources[1]!] }, context)
  const row = summary.split('\n').find((line) => line.startsWith('| a&#124;b'))!
  expect(row.split(' | ').length).toBe(6)
  expect(row.slice(2).split(' | ')[0]!.replaceAll(/&#\d+;/g, '')).not.toMatch(MARKUP)
  expect(summary.split('```')[0]).not.toContain('\n| # @all')
})

test('escaped text never holds markup, whatever it was', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => expect(escapeMarkdown(text).replaceAll(/&#\d+;/g, '')).not.toMatch(MARKUP)))
})

test('a code block cannot be ended by what is in it', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('`', '``', '```', '\n', 'x', '~~~')), (pieces) => {
      const [fence, ...lines] = fenced('', pieces.join('')).split('\n')
      expect(lines.findIndex((line) => line.startsWith(fence!))).toBe(lines.length - 1)
    }),
  )
})

test('a summary stays below the limit of GitHub, with thousands of snapshots and endless errors', () => {
  const snapshots: ListResult['snapshots'] = Array.from({ length: 20_000 }, (_, index) => ({
    id: backup.snapshot, set: 'app', time: backup.time, size: 1, stored: 1, added: 1, chunks: 1, tags: ['nightly'], key: '0'.repeat(16), description: `${index}`.repeat(200), ...listed,
  }))
  const errors = Array.from({ length: 100_000 }, (_, index) => `error ${index} `.repeat(5))
  const summaries = [
    listSummary({ ...listing, snapshots }, context),
    restoreSummary({ ...restore, errors }, context),
    verifySummary({ ...verify, result: 'failed', problems: errors }, context),
    failureSummary('backup', { message: 'é'.repeat(2_000_000), causes: errors, status: 1 }),
  ]
  for (const summary of summaries) expect(Buffer.byteLength(summary)).toBeLessThan(1024 * 1024)
  expect(summaries[0]).toContain('The newest 200 are shown')
  expect(summaries[2]).toContain('the output result has them all')
  // Summaries are of workflows alone: they have no marks.
  for (const summary of summaries) expect(summary).not.toMatch(/[‹›]|&#8249;/)
})

test('a backup of thousands of sources still says how to restore it', () => {
  const sources = Array.from({ length: 20_000 }, (_, index) => ({ ...backup.sources[0]!, kind: 'directory', name: `tenant ${index} ${'*'.repeat(60)}` }))
  const summary = backupSummary({ ...backup, sources }, context)
  expect(Buffer.byteLength(summary)).toBeLessThan(1024 * 1024)
  for (const text of ['The first 200 of 20000 sources are shown.', 'How to restore this snapshot', 'The other 19980 volumes']) expect(summary).toContain(text)
})

test('a destination that lacks the backup, and losses, stand above the figures', () => {
  const destinations = [...backup.destinations, { name: 's3://gone', verified: 'none' as const, problem: 'no bucket' }]
  const summary = backupSummary({ ...backup, destinations, shrunk: [{ source: 'shop', kind: 'postgres', table: 'public.orders', measure: 'rows', before: 5000, now: 10 }] }, context)
  const figures = summary.indexOf('| Source |')
  for (const text of ['**Not in `s3://gone`**', 'Less than half of what the backup before had']) expect(summary.slice(0, figures)).toContain(text)
})

test('a backup that was drilled says how long a recovery takes, and what was equal', () => {
  const drill = { entries: 154, rows: 2_651_188, bytes: 1e6, seconds: { download: 52, restore: 200, compare: 60, checks: 3 }, machine: 'linux x64' }
  const summary = backupSummary({ ...backup, verified: 'drill', destinations: [{ ...backup.destinations[0]!, verified: 'drill', drill }] }, context)
  expect(summary).toContain('Restored from the store, and compared with what was backed up: 4 min 12 s, 2,651,188 rows equal.')
})

test('a failure says what happened, why, and what to do', () => {
  const summary = failureSummary('backup', { message: 'cannot connect', causes: ['refused'], hint: 'Is it running?', status: 1 })
  expect(summary).toBe('### ❌ Lifeboat: backup failed\n\n**cannot connect**\n\n- because: refused\n\nWhat to do: Is it running&#63;\n')
})

test.each([
  [{ set: 'app', snapshot: backup.snapshot, time: backup.time }, 'The newest backup of set **app** before this run is **3 h old**: `20261120T020000Z-5f3a9c1e`, made 2026-11-20 02:00:00 UTC.'],
  [{ set: 'app', none: 'empty' as const }, 'There is no earlier backup of set **app**.'],
  [{ set: 'app', none: 'unsound' as const }, 'None of the newest backups of set **app** can be relied on'],
  [{ set: 'app', unknown: 'no answer' }, 'The age of the newest backup of set **app** could not be found out: no answer'],
])('a failed backup tells what there is to fall back on: %j', (newest, sentence) => {
  expect(failureSummary('backup', { message: 'x', causes: [], status: 1 }, newestSentence(newest, context))).toContain(sentence)
})

test('a failed backup says how the newest good one is restored', () => {
  const newest = { set: 'app', snapshot: backup.snapshot, time: backup.time }
  const more = fallbackText(newest, 's3://backups/production', context)
  expect(more).toContain('The newest backup of set **app** before this run is **3 h old**')
  expect(more).toContain('**Next:** fix the cause above, then run the backup again.')
  expect(more).toContain('with `LIFEBOAT_ENCRYPTION_KEY` and `DATABASE_URL` (the target) set')
  expect(more).toContain('lifeboat restore \\\n  --destination s3://backups/production \\\n  --set app \\\n  --snapshot 20261120T020000Z-5f3a9c1e\n')
  expect(fallbackText({ ...newest, destination: 'file:/other' }, 's3://backups/production', context)).toContain('--destination file:/other \\')
  const sources = [{ name: 'shop', kind: 'postgres' }, { name: 'uploads', kind: 'directory' }]
  expect(fallbackText({ ...newest, sources }, 's3://backups/production', context)).toContain('  --all \\\n  --mode create \\\n  --map uploads=./uploads')
  expect(fallbackText({ set: 'app', none: 'empty' }, 'file:/b', context)).not.toContain('restore')
})

test('a backup that could not be verified is neither a success nor a failure', () => {
  expect(failureSummary('backup', { message: 'x', causes: [], status: 3 })).toMatch(/^### ⚠️ Lifeboat: the backup could not be verified\n/)
})

test('a list of several sets shows how old the newest backup of each is', () => {
  const one = { id: backup.snapshot, size: 1, stored: 1, added: 1, chunks: 1, tags: [], key: '0'.repeat(16), ...listed }
  const summary = listSummary({ ...listing, snapshots: [{ ...one, set: 'a', time: '2026-11-20T04:00:00Z' }, { ...one, set: 'b', time: '2026-11-18T01:00:00Z' }] }, context)
  expect(summary).toContain('### Lifeboat: 2 snapshots in `file:/b`, the newest 60 min old')
  expect(summary).toContain('| a | 1 | 60 min | 1 B |\n| b | 1 | 2 days | 1 B |')
})

test('a prune tells in whole sentences what went', () => {
  const chunks = { deleted: { objects: 41, bytes: 9_000_000 }, trashed: { objects: 12, bytes: 2_400_000 }, waiting: { objects: 3, bytes: 60_000 }, obstacles: ['another backup is running'] }
  const summary = pruneSummary({ set: 'app', dryRun: false, kept: 1, deleted: 0, snapshots: [], seconds: 1, chunks }, context)
  expect(summary).toContain('41 chunks &#40;9&#46;00 MB&#41; deleted\n\n12 chunks &#40;2&#46;40 MB&#41; are no longer needed by any snapshot')
  expect(summary).toContain('3 chunks &#40;60&#46;0 kB&#41; that no snapshot needs are left for a later prune, as a running backup may need them until the grace is over\n\nNo chunks deleted&#58; another backup is running')
})

test('doctor puts problems first, then warnings', () => {
  const states = ['good', 'warning', 'bad', 'good'] as const
  const rows = doctorSummary({ inputs: [], checks: states.map((state, index) => ({ about: `${index}`, check: 'put', state, says: 'x' })) }).split('\n').filter((line) => /^\| [✅⚠❌]/u.test(line))
  expect(rows.map((row) => row.split(' | ')[1])).toEqual(['2', '1', '0', '3'])
})

test('a backup says how much room was saved, and by what', () => {
  const first = backupSummary({ ...backup, sources: [{ ...backup.sources[0]!, size: 1000, added: 9 }] }, context)
  expect(first).toContain('| Source | Size | Added | Saved | Rate | Duration |')
  expect(first).toContain('| `shop` | 1.00 kB | 9 B | 99.1 % |')
  expect(first).toContain('Saved: the part of the size that took no new space, because it was in the store already or was compressed.')
  expect(first).not.toContain('Deduplicated')
})

test('how to restore covers every database and every volume of the snapshot', () => {
  const volumes = ['uploads', 'avatars'].map((name) => ({ name, kind: 'directory', size: 1, added: 1, seconds: 1 }))
  const summary = backupSummary({ ...backup, sources: [...backup.sources, ...volumes] }, context)
  expect(summary).toContain('    all: true\n    mode: create\n    map: |\n      uploads=./uploads\n      avatars=./avatars\n')
  expect(summary).toContain('  --all \\\n  --mode create \\\n  --map uploads=./uploads \\\n  --map avatars=./avatars\n')
})

test('a failed verification has a line for each problem, and says what to do', () => {
  const summary = verifySummary({ ...verify, result: 'failed', problems: ['chunk 5f is missing', 'chunk 60 is damaged'], advice: ['Back up again.', 'To restore now, use snapshot x.'] }, context)
  expect(summary).toContain('- chunk 5f is missing\n- chunk 60 is damaged\n\n**What to do:**\n\n- Back up again&#46;\n- To restore now, use snapshot x&#46;')
  expect(summary).not.toContain('```')
  expect(verifySummary({ ...verify, result: 'could not verify', problems: ['no client'] }, context)).toContain('**What to do:**')
})

test('a list has no column that is the same in all rows, and says it once', () => {
  const one = { id: backup.snapshot, set: 'app', size: 1, stored: 1, added: 1, chunks: 1, tags: ['nightly'], key: '0'.repeat(16), sources: [{ name: 'shop', kind: 'postgres', size: 1 }], ...listed }
  const summary = listSummary({ ...listing, snapshots: [{ ...one, time: '2026-11-20T04:00:00Z' }, { ...one, time: '2026-11-18T01:00:00Z', pinned: true }] }, context)
  expect(summary).toContain('\n| Snapshot | Made (UTC) | Size | Added | Verified | About |\n')
  expect(summary).toContain('Of all: set app; sources shop; tags nightly.')
})

test('a list names the verification that says most, a failure always, and the run as a link', () => {
  const one = { id: backup.snapshot, set: 'app', time: '2026-11-20T04:00:00Z', size: 1, stored: 1, added: 1, chunks: 1, tags: [], key: '0'.repeat(16), ...listed, run: 'https://github.com/o/r/actions/runs/1' }
  const verdicts = (...proofs: ListedSnapshot['proofs']) => listSummary({ ...listing, snapshots: [{ ...one, proofs }] }, context).split('\n').find((line) => line.includes(backup.snapshot))!
  const time = '2026-11-20T04:00:00Z'
  const row = verdicts({ level: 'list', result: 'verified', time }, { level: 'read', result: 'verified', time })
  expect(row).toContain(`[\`${backup.snapshot}\`](https://github.com/o/r/actions/runs/1)`)
  expect(row).toContain('read')
  expect(row).not.toContain('list')
  expect(verdicts({ level: 'list', result: 'failed', time }, { level: 'read', result: 'verified', time })).toMatch(/list.*FAILED.*<br>read/)
})

test('a list names whole sources of damaged snapshots as text, and gives commands for plain names alone', () => {
  const one = { id: backup.snapshot, set: 'app', time: '2026-11-20T04:00:00Z', size: 1, stored: 1, added: 1, chunks: 1, tags: [], key: '0'.repeat(16), ...listed }
  const whole = ['shop', 'a`b\n# @all'].map((name) => ({ name, kind: 'postgres' }))
  const parts = [{ snapshot: backup.snapshot, whole, damaged: ['<b>'] }]
  const summary = listSummary({ ...listing, snapshots: [one], unsound: [{ snapshot: backup.snapshot, why: 'x' }], parts }, context)
  const line = spelled(summary.split('\n').find((line) => line.startsWith('Snapshot'))!, inWorkflow)
  expect(line).toContain('has all of `shop`, a&#96;b &#35; &#64;\u200Ball (its &#60;b&#62; is damaged): the action restore with `destination: file:/mnt/my backups`, `set: app`, ')
  expect(line).toMatch(/ `database: shop`\.$/)
})

test('a list leaves out a failure that a later verification of at least its level has disproved, and no other', () => {
  const one = { id: backup.snapshot, set: 'app', time: '2026-11-20T04:00:00Z', size: 1, stored: 1, added: 1, chunks: 1, tags: [], key: '0'.repeat(16), ...listed }
  const [early, late] = ['2026-11-20T04:00:00Z', '2026-11-20T05:00:00Z']
  const shown = (...proofs: ListedSnapshot['proofs']): string[] => {
    const result = { ...listing, snapshots: [{ ...one, proofs }] }
    return [listSummary(result, context), listText(result, { ...context, program: 'lifeboat' })]
  }
  for (const text of shown({ level: 'read', result: 'verified', time: late }, { level: 'list', result: 'failed', time: early })) expect(text).not.toContain('FAILED')
  for (const text of shown({ level: 'read', result: 'verified', time: late }, { level: 'drill', result: 'failed', time: early })) expect(text).toContain('FAILED')
  for (const text of shown({ level: 'list', result: 'failed', time: late }, { level: 'read', result: 'verified', time: early })) expect(text).toContain('FAILED')
})

test('a word for the shell is one word', () => {
  expect([shellWord('file:/mnt/a-b'), shellWord("it's; rm -rf $HOME"), shellWord('')]).toEqual(['file:/mnt/a-b', "'it'\\''s; rm -rf $HOME'", "''"])
})

test('a restore that passed over a newer snapshot says so in place of calling all well', () => {
  const passedOver = ['snapshots/app/20261121T020000Z-00000000.json.zst was written with the key 1; the key given is 2; snapshot 20261120T020000Z-5f3a9c1e is taken in its place']
  const summary = restoreSummary({ ...restore, passedOver }, context)
  expect(summary).toMatch(/^### ⚠️ Lifeboat: `shop` restored\n/)
  expect(summary).toContain('A newer snapshot was passed over&#58; snapshots')
  expect(restoreText({ ...restore, passedOver }, { ...context, program: 'lifeboat' })).toContain('snapshot 20261120T020000Z-5f3a9c1e is taken in its place')
})

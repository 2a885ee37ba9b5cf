import { verifySummary, verifyText } from '../../src/commands/verify/report.ts'
import type { SourceOutcome, VerifyResult } from '../../src/commands/verify/result.ts'

const drill = { entries: 4, rows: 0, bytes: 993, wording: true, assertions: 0, seconds: { download: 1, restore: 2, compare: 1, checks: 1 } }
const source = (more: Partial<SourceOutcome>): SourceOutcome => ({ name: 'app', kind: 'postgres', size: 1_120_000, entries: 19, result: 'verified', problems: [], ...more })

function result(sources: SourceOutcome[]): VerifyResult {
  return {
    snapshot: '20261122T115331Z-52f0670e', set: 'production', time: '2026-11-22T11:53:31Z', level: 'drill', result: 'verified', problems: [], damaged: [], good: [],
    chunks: 6, bytes: 1_940_000, seconds: 16, sources, versions: {}, advice: [],
  }
}

const context = { program: 'lifeboat', action: 'o/lifeboat', reference: 'v1', destination: 'file:/mnt', timeZone: 'UTC', now: new Date() }
const text = (sources: SourceOutcome[]): string => verifyText(result(sources), context)

test('the drill of a volume has no rows, that of a database has', () => {
  const told = text([source({ name: 'uploads', kind: 'directory', drill }), source({ drill: { ...drill, rows: 7, entries: 19 } })])
  expect(told).toMatch(/uploads .* 4 files and folders compared;/)
  expect(told).toMatch(/app .* 7 rows and 19 entries compared;/)
})

test('entries that were not counted are not said to be none', () => {
  const told = text([source({ entries: 0, result: 'could not verify' }), source({ name: 'empty', kind: 'directory', entries: 0 })])
  expect(told).toMatch(/app +could not verify +1\.12 MB *\n/)
  expect(told).toMatch(/empty +verified +1\.12 MB, 0 files and folders/)
})

test('of what level list found good it says that all is there, and of no source or snapshot that it is verified', () => {
  const lost = source({ name: 'lost', result: 'failed' })
  const listed: VerifyResult = { ...result([source({}), lost]), level: 'list' }
  const { advice: _, ...one } = listed
  const other = { ...one, result: 'failed' as const, snapshot: '20261121T115331Z-52f0670e' }
  const several: VerifyResult = { ...listed, sources: [], snapshots: [one, other] }
  expect(verifyText(listed, context)).toMatch(/^Verified: everything is there\n[^]*\n {2}app +all there +1\.12 MB.*\n {2}lost +FAILED /)
  expect(verifyText(several, context)).toMatch(/\n {2}all there +20261122.*\n {2}FAILED +20261121/)
  expect(verifySummary(listed, context)).toMatch(/backup verified: everything is there\n[^]*\n\| ✅ all there \| `app` .*\n\| ❌ FAILED \| `lost`/)
  expect(verifySummary(several, context)).toMatch(/\n\| ✅ all there \| `20261122.*\n\| ❌ FAILED \| `20261121/)
})

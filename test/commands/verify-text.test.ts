import { verifyText } from '../../src/commands/verify/report.ts'
import type { SourceOutcome, VerifyResult } from '../../src/commands/verify/result.ts'

const drill = { entries: 4, rows: 0, bytes: 993, wording: true, assertions: 0, seconds: { download: 1, restore: 2, compare: 1, checks: 1 } }
const source = (more: Partial<SourceOutcome>): SourceOutcome => ({ name: 'app', kind: 'postgres', size: 1_120_000, entries: 19, result: 'verified', problems: [], ...more })

function text(sources: SourceOutcome[]): string {
  const result: VerifyResult = {
    snapshot: '20261122T115331Z-52f0670e', set: 'production', time: '2026-11-22T11:53:31Z', level: 'drill', result: 'verified', problems: [], damaged: [], good: [],
    chunks: 6, bytes: 1_940_000, seconds: 16, sources, versions: {}, advice: [],
  }
  return verifyText(result, { program: 'lifeboat', destination: 'file:/mnt', timeZone: 'UTC' })
}

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

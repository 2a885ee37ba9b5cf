import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import { restoreSummary, restoreText } from '../../src/commands/restore/report.ts'

const result: RestoreResult = {
  snapshot: '20261120T020000Z-5f3a9c1e', set: 'app', time: '2026-11-20T02:00:00.000Z', database: 'shop', target: 'db:5432/new', mode: 'empty', size: 1000, entries: 10, restored: 10, errors: [], left: 'everything', seconds: 5,
}
const text = (more: Partial<RestoreResult>): string => restoreText({ ...result, ...more }, { program: 'lifeboat', destination: 'file:/b', timeZone: 'UTC' })
const summary = (more: Partial<RestoreResult>): string => restoreSummary({ ...result, ...more }, { action: 'o/lifeboat', reference: 'v1', destination: 'file:/b', timeZone: 'UTC', now: new Date('2026-11-21') })

test('the text names the additions to a selection, the kept objects, and the omitted ones with the reason', () => {
  const selection = { added: ['type app.status'], kept: ['schema app'], leftOut: [{ what: 'foreign key app.orders of_tenant', why: 'table app.tenants is not selected' }] }
  expect(text({ selection })).toContain('\n  Restored too, as the selection depends on it: type app.status.\n')
  expect(text({ selection })).toContain('  Left as the target has it, though the selection depends on it: schema app.\n')
  expect(text({ selection })).toContain('  Left out:\n  - foreign key app.orders of_tenant: table app.tenants is not selected')
  expect(summary({ selection })).toMatch(/Left out.*\n- foreign key app.*orders of.*tenant.* table app.*tenants is not selected/)
  // A name with line ends stays in its line.
  expect(text({ selection: { ...selection, leftOut: [{ what: 'view a\n  Restored too: b', why: 'x' }] } })).not.toContain('\n  Restored too: b')
  const many = Array.from({ length: 60 }, (_, number) => ({ what: `view v${number}`, why: 'x' }))
  expect(text({ selection: { ...selection, leftOut: many } })).toContain('  - and 10 more')
})

test('settings of the database that were left, and views that were filled, are said', () => {
  expect(spelled(text({ databaseSettings: 'left as they are' }), atTerminal('lifeboat'))).toContain('To apply those of the backup, set --database-settings.')
  expect(summary({ databaseSettings: 'left as they are' })).toMatch(/To apply those of the backup.* set database-settings.* true/)
  expect(text({ databaseSettings: 'applied' })).not.toContain('database-settings')
  expect(text({ refreshed: ['app.totals'] })).toContain('Materialized views filled from the restored rows: app.totals.')
})

test('the other sources of the snapshot are named, as the restore is of one alone', () => {
  const others = { databases: ['billing'], volumes: ['files'] }
  expect(spelled(text({ others }), atTerminal('lifeboat'))).toMatch(/  The snapshot also has: database billing, volume files\. Each is restored on its own, with --database, or --volume and --target; or everything at once, with --all\.$/)
  expect(summary({ others })).toMatch(/The snapshot also has.* database billing, volume files.* on its own, with database, or volume and target/)
  expect(text({})).not.toContain('also has')
})

test('errors that differ only in the name of a file are one line with their number', () => {
  const errors = ['tar: ./a: Cannot change ownership to uid 0, gid 0: Operation not permitted', 'tar: ./b: Cannot change ownership to uid 0, gid 0: Operation not permitted', 'tar: ./c: Cannot open: Is a directory']
  expect(text({ errors })).toMatch(/3 errors from pg_restore:\n  tar: \.\/a: Cannot change .*permitted \(2 errors like this\)\n  tar: \.\/c: Cannot open: Is a directory$/)
})

test('errors of another kind of database are not said to be those of pg_restore', () => {
  const { left: _, ...other } = result
  expect(restoreText({ ...other, errors: ['no'] }, { program: 'lifeboat', destination: 'file:/b', timeZone: 'UTC' })).toMatch(/\n1 error:\n {2}no$/)
})

test('a restore that left nothing is never called restored', () => {
  for (const left of ['unchanged', 'dropped'] as const) {
    expect(text({ left, restored: 0, errors: ['no'] })).toMatch(/^NOT restored: shop into db:5432\/new/)
    expect(summary({ left, restored: 0, errors: ['no'] })).toContain('### ❌ Lifeboat: `shop` not restored: 1 error')
  }
  expect(text({ left: 'part', restored: 9, errors: ['no'] })).toMatch(/^Restored with errors: shop/)
})

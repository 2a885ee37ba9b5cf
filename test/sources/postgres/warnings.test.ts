import { tellsOfLoss, warningsOf } from '../../../src/sources/postgres/warnings.ts'

test('warnings are read with their details and hints; all else is passed over, and no secret is in them', () => {
  const stderr = [
    'pg_dump: warning: subscriptions not dumped because current user is not a superuser',
    'pg_dump: warning: there are circular foreign-key constraints on this table:',
    'pg_dump: detail: employees',
    'pg_dump: hint: You might not be able to restore the dump without using --disable-triggers or',
    'temporarily dropping the constraints.',
    'NOTICE: something of the server with pa55word',
    'pg_dump: reading schemas',
    'pg_dump: warning: bad owner pa55word',
  ].join('\n')
  expect(warningsOf(stderr, 'pg_dump', ['pa55word'])).toEqual([
    'subscriptions not dumped because current user is not a superuser',
    'there are circular foreign-key constraints on this table: (employees) (You might not be able to restore the dump without using --disable-triggers or; temporarily dropping the constraints.; NOTICE: something of the server with ***)',
    'bad owner ***',
  ])
  expect(warningsOf(stderr, 'pg_dumpall', [])).toEqual([])
})

test('there are not more than anyone reads', () => {
  const many = warningsOf(Array.from({ length: 1000 }, (_, number) => `pg_dump: warning: number ${number} ${'x'.repeat(2000)}`).join('\n'), 'pg_dump', [])
  expect(many).toHaveLength(101)
  expect(many.at(-1)).toBe('and 900 more')
  expect(Math.max(...many.map((text) => text.length))).toBe(1000)
})

test('a warning of something that was not dumped tells of loss', () => {
  expect(['subscriptions not dumped because current user is not a superuser', 'skipping large object 4', 'the owner appears to be invalid'].map(tellsOfLoss)).toEqual([true, true, false])
})

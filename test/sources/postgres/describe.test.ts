import { databaseText } from '../../../src/sources/postgres/describe.ts'

test('a table without statistics has an unknown size, not that of its first pages', () => {
  const table = { schema: 'public', partitioned: false, rowSecurity: false }
  const text = databaseText({
    database: {
      server: { major: 17, version: '17.5' }, database: 'shop', encoding: 'UTF8', collation: 'C', extensions: [], databaseSize: null, dumpVersion: '17.5', entries: 3,
      globals: { stream: true, passwords: true },
      tables: [{ ...table, name: 'new', rows: null, bytes: 16_384 }, { ...table, name: 'known', rows: 10, bytes: 8192 }, { ...table, name: 'counted', rows: 10, bytes: 8192, archived: { rows: 1234, bytes: 5000 } }, { ...table, name: 'parts', rows: null, bytes: 0, partitioned: true }],
    },
  }).join('\n')
  expect(text).toMatch(/public\.new +unknown +unknown/)
  expect(text).toMatch(/public\.known +about 10 +about 8\.19 kB/)
  expect(text).toMatch(/public\.counted +1,234 +5\.00 kB +about 8\.19 kB/)
  expect(text).toMatch(/public\.parts +unknown +0 B +partitioned/)
})

import { LifeboatError } from '../../../src/error.ts'
import type { SourceKind } from '../../../src/sources/source-kind.ts'
import { sqlite, type SqliteLocation } from './sqlite.ts'

/** The same file as a database with a URL, `sqlite:///path/name.db?key=SECRET`: a second kind beside PostgreSQL. */
export const sqliteDatabase: SourceKind<SqliteLocation> = {
  ...sqlite,
  noun: 'database',
  form: 'an SQLite URL',
  pattern: 'sqlite:///path (a file of SQLite)',

  parse(text) {
    const [, path] = /^sqlite:\/\/([^?]*)/.exec(text) ?? []
    if (path === undefined) return null
    if (path.startsWith('/')) return { kind: 'sqlite', path }
    throw new LifeboatError('database URL: the path of an SQLite URL does not begin with /', { hint: 'Write sqlite:///srv/shop.db.', status: 2 })
  },
  secrets: (text) => [...text.matchAll(/key=([^&]+)/g)].map(([, key]) => key!),
  defaultName: ({ path }) => /([^/]+)\.db$/.exec(path)?.[1],
  fromVariables: ({ SQLITE_FILE: path }) => (path === undefined ? undefined : `sqlite://${path}`),
  diagnose: async (given) => ({ findings: given.map(({ name }) => ({ about: name, check: 'file', state: 'good', says: 'is a file of SQLite' })), size: 0 }),
}

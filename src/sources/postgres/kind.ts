import type { SourceKind } from '../source-kind.ts'
import { compareDatabases, databaseDiffText, type DatabaseDifferences } from './compare.ts'
import { type DatabaseDetails, databaseText, describeDatabase, remarksOnDatabase } from './describe.ts'
import { databaseLosses } from './losses.ts'
import { contentsOf, verifyDatabase } from './verify.ts'

/** A PostgreSQL database: an archive of pg_dump, and the roles and tablespaces of its server as SQL. */
export const postgres: SourceKind<DatabaseDetails, DatabaseDifferences> = {
  recorded: 'postgres',
  noun: 'database',
  entryNoun: ['archive entry', 'archive entries'],
  contents: contentsOf,
  verify: verifyDatabase,
  describe: describeDatabase,
  describeText: databaseText,
  remarks: remarksOnDatabase,
  compare: async (before, after) => compareDatabases(before.source, after.source),
  compareText: databaseDiffText,
  losses: databaseLosses,
}

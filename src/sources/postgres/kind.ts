import type { SourceKind } from '../source-kind.ts'
import { compareDatabases, databaseDiffText, type DatabaseDifferences } from './compare.ts'
import { drillDatabase } from './drill/drill.ts'
import { parseDatabaseUrl } from './connection.ts'
import { type DatabaseDetails, databaseText, describeDatabase, originalDatabase, remarksOnDatabase } from './describe.ts'
import { diagnoseDatabases } from './diagnose.ts'
import { type DatabaseLocation, libpqDefaults, parseDatabaseLocation, postgresTraces, urlOfVariables } from './location.ts'
import { extractTable } from './extract-table.ts'
import { extractFromDatabase } from './extraction.ts'
import { amountOfTables, databaseLosses, tableSizes } from './losses.ts'
import { selectedEntries } from './selected.ts'
import { databasesOfServer, namesNoDatabase, sameDatabase } from './server-databases.ts'
import { databaseSources } from './sources.ts'
import { databaseTarget } from './target-database.ts'
import { contentsOf, verifyDatabase } from './verify.ts'

/** A PostgreSQL database: an archive of pg_dump, and the roles and tablespaces of its server as SQL. */
export const postgres: SourceKind<DatabaseLocation, DatabaseDetails, DatabaseDifferences> = {
  name: 'postgres',
  recorded: 'postgres',
  noun: 'database',
  entryNoun: ['archive entry', 'archive entries'],
  form: 'a PostgreSQL URL',
  pattern: 'postgres://user:password@host:port/database (PostgreSQL, with any libpq parameter)',
  parse: parseDatabaseLocation,
  // The password may be any part of a malformed URL.
  secrets: (text) => [text],
  defaultName: ({ url }) => parseDatabaseUrl(url).database,
  fromVariables: libpqDefaults,
  completeFromVariables: urlOfVariables,
  traces: postgresTraces,
  sources: databaseSources,
  target: databaseTarget,
  diagnose: diagnoseDatabases,
  server: { is: namesNoDatabase, target: sameDatabase, databases: databasesOfServer },
  contents: contentsOf,
  selected: selectedEntries,
  verify: verifyDatabase,
  drill: (source, { scratch }, context) => drillDatabase(source, scratch, context),
  extract: extractFromDatabase,
  extractTable,
  describe: describeDatabase,
  describeText: databaseText,
  remarks: remarksOnDatabase,
  confirm: originalDatabase,
  amount: amountOfTables,
  compare: compareDatabases,
  compareText: databaseDiffText,
  losses: databaseLosses,
  sizes: tableSizes,
}

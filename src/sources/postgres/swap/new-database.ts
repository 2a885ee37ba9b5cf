import { LifeboatError, messageOf } from '../../../error.ts'
import type { Report } from '../../../environment.ts'
import { createStatement, type DatabaseSettings } from '../database-settings.ts'
import { onDatabase } from '../connection.ts'
import { change, identifier, literal, type QueryContext, withoutTransaction } from '../query.ts'
import { createDatabase, detachSubscriptions, type Target } from '../target.ts'
import type { NamedDatabase } from './databases.ts'
import { newName, newPrefix } from './names.ts'

/**
 * The connection limit of a database that is being restored: `life` as a number, which nobody sets by chance. CREATE DATABASE sets it, so
 * that no moment is without it, and the exchange takes it away.
 */
const LIMIT = 0x6c696665
/** The limit of a database that was being dropped when the server or the run was stopped (PostgreSQL 14 and newer). */
const HALF_DROPPED = -2

/** Makes a database beside the target, for the target's name later on. Gives its name. */
export async function createBeside(
  target: string,
  options: DatabaseSettings['options'],
  maintenance: QueryContext & { target: Target },
): Promise<string> {
  const name = newName(target)
  const statement = `${createStatement(name, options, maintenance.target.major)} CONNECTION LIMIT = ${LIMIT}`
  await createDatabase(onDatabase(maintenance.connection, name), statement, maintenance)
  const comment = `Lifeboat restores into this database, which then gets the name ${target}.`
  await change(`COMMENT ON DATABASE ${identifier(name)} IS ${literal(comment)}`, maintenance).catch(() => undefined) // For people alone.
  return name
}

/** The statements that make it a database like others. */
export function released(name: string): string[] {
  return [`ALTER DATABASE ${identifier(name)} CONNECTION LIMIT = -1`, `COMMENT ON DATABASE ${identifier(name)} IS NULL`]
}

/**
 * Drops the databases that killed restores left. The caller has the lock of the target. None that is in use is dropped: its restore may go
 * on, and not know yet that it has lost the lock.
 */
export async function removeLeft(
  target: string,
  databases: readonly NamedDatabase[],
  maintenance: QueryContext,
  report: Report,
): Promise<void> {
  for (const { name, limit } of databases) {
    if (!name.startsWith(newPrefix(target)) || ![LIMIT, HALF_DROPPED].includes(limit)) continue
    try {
      if (limit !== HALF_DROPPED) await detachSubscriptions(name, maintenance)
      await withoutTransaction(`DROP DATABASE ${identifier(name)}`, { ...maintenance, timeLimit: Infinity })
      report.info(`dropped the database ${name}, which an interrupted restore left`)
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      report.warning(`an interrupted restore left the database ${name}, which could not be dropped: ${messageOf(error)}`)
    }
  }
}

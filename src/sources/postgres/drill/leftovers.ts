import { z } from 'zod'
import { change, changing, literal, queryJson, type QueryContext, withoutTransaction } from '../query.ts'
import { lockSession, type SessionLock } from '../session-lock.ts'
import { detachSubscriptions } from '../target.ts'
import { dropMade, LOADER_MARK, MADE_ROLES } from './made-roles.ts'

/** The first number of the advisory locks of drills that go on; the second is the drill's. */
const DRILLS = 0x6c626472

/** Databases and roles of one drill, which no other drill has. */
export interface DrillNames {
  database: string
  loader: string
  maker: string
  group: string
}

/** `id`: 8 hex digits. */
export function namesOf(id: string): DrillNames {
  return {
    database: `lifeboat_drill_${id}`, loader: `lifeboat_loader_${id}`, maker: `lifeboat_maker_${id}`, group: `lifeboat_owners_${id}`,
  }
}

/**
 * Shows other drills at this server that this one goes on, as long as this process lives and its lock is not lost, and removes what killed
 * ones left. `server`: in the database that all drills use.
 */
export async function announce(id: string, server: QueryContext): Promise<{ removed: string[]; lock: SessionLock }> {
  const lock = await lockOf(id, server)
  if (!lock) throw new Error(`another drill has the id ${id}`)
  try {
    return { removed: await removeLeft(server), lock }
  } catch (error) {
    await lock.release()
    throw error
  }
}

function lockOf(id: string, server: QueryContext): Promise<SessionLock | undefined> {
  return lockSession([DRILLS, Number.parseInt(id, 16) | 0], 'other drills', server)
}

const LEFT = `SELECT coalesce(pg_catalog.json_agg(pg_catalog.right(rolname::pg_catalog.text, 8)), '[]') FROM pg_catalog.pg_roles
WHERE rolname ~ '^lifeboat_loader_[0-9a-f]{8}$' AND pg_catalog.shobj_description(oid, 'pg_authid') = ${literal(LOADER_MARK)}`

/** A drill whose session is gone has ended. Gives the databases that were removed. */
async function removeLeft(server: QueryContext): Promise<string[]> {
  const removed: string[] = []
  for (const id of await queryJson(LEFT, z.array(z.string()), server)) {
    const lock = await lockOf(id, server)
    if (!lock) continue
    try {
      await removeDrill(id, server)
      removed.push(namesOf(id).database)
    } finally {
      await lock.release()
    }
  }
  return removed
}

/** Removes the database of a drill, and then its roles. */
export async function removeDrill(id: string, server: QueryContext): Promise<void> {
  const { database, loader, maker, group } = namesOf(id)
  await change(`ALTER DATABASE "${database}" IS_TEMPLATE false`, server).catch(() => undefined)
  await detachSubscriptions(database, server).catch(() => undefined)
  await withoutTransaction(`DROP DATABASE IF EXISTS "${database}" WITH (FORCE)`, { ...server, timeLimit: Infinity })
  await change(`DROP ROLE IF EXISTS "${maker}", "${group}", "${loader}"`, server)
}

const OTHERS = `EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
  WHERE l.locktype = 'advisory' AND l.classid = ${DRILLS} AND l.objsubid = 2 AND d.datname = pg_catalog.current_database())`

/** Drops the roles that were made because backups name them, unless a drill goes on, which may need them. Gives those that stay. */
export async function dropRoles(server: QueryContext): Promise<string[]> {
  const left = `SELECT coalesce(pg_catalog.json_agg(rolname), '[]') ${MADE_ROLES} AND NOT ${OTHERS}`
  return z.array(z.string()).parse(JSON.parse((await changing([dropMade(OTHERS), left], [], server)).toString()))
}

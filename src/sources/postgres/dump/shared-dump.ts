import { LifeboatError, messageOf } from '../../../error.ts'
import { excludedTables } from '../dump-arguments.ts'
import type { QueryContext } from '../query.ts'
import { lockTableIsFull, lockTimedOut, noConnectionIsFree } from '../errors.ts'
import { type DumpPlan, type PlannedDump, planDump } from './plan.ts'
import { type SharedSnapshot, shareSnapshot } from './shared-snapshot.ts'

/** A plan, and the snapshot that all pg_dump of it take over. */
export interface SharedDump extends DumpPlan {
  snapshot: SharedSnapshot
}

/** A table may vanish between the plan and its lock. */
const ATTEMPTS = 3

/** Undefined if one archive is as good; `say` gets the reason if more were asked for. `lockTimeout`: milliseconds. */
export async function beginShared(
  given: PlannedDump & { lockTimeout: number }, context: QueryContext, say: (why: string) => void,
): Promise<SharedDump | undefined> {
  for (let attempt = 1; ; attempt++) {
    const plan = await planDump(given, context)
    if ('why' in plan) {
      if (plan.why !== undefined) say(plan.why)
      return undefined
    }
    try {
      const tables = plan.parts.flatMap((part) => part.tables)
      const snapshot = await shareSnapshot(tables, given.lockTimeout, given.server.server.major, context)
      if (snapshot.start === plan.start) return { parts: plan.parts, snapshot }
      await snapshot.release()
      say('there are several servers behind its address')
      return undefined
    } catch (error) {
      if (attempt < ATTEMPTS && vanished(error)) continue
      // Nobody asked for more: one archive may succeed, but it would wait for the same lock.
      const otherwise = given.jobs === undefined && !context.signal?.aborted && !lockTimedOut(error)
      // All tables are locked, and pg_dump locks none of those that it leaves out.
      const needless = lockTimedOut(error) && excludedTables(given.dumpArguments).length > 0
      if (!noConnectionIsFree(error) && !lockTableIsFull(error) && !otherwise && !needless) throw error
      say(messageOf(error))
      return undefined
    }
  }
}

/** undefined_table, invalid_schema_name (PostgreSQL documentation, "Error Codes"). */
function vanished(error: unknown): boolean {
  return error instanceof LifeboatError && error.cause instanceof Error && /: {2}(?:42P01|3F000): /.test(error.cause.message)
}

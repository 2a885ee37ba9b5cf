import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { anyClient } from '../client-download/choose.ts'
import { detectPooler, useInstead } from '../pooler.ts'
import type { QueryContext } from '../query.ts'
import type { RestoreOptions } from '../restore-plan.ts'
import { findMaintenance, type Target } from '../target.ts'
import { holdLock } from './lock.ts'

/** A connection to another database of the target's server. */
export interface Maintenance extends QueryContext {
  target: Target
  /** Aborted when the run is interrupted, or the lock of the target is lost. */
  signal: AbortSignal
  /** Aborted when the run is interrupted. */
  interrupted: AbortSignal
}

/** Runs work on a target, which no other swap works on meanwhile. */
export async function withTarget<T>(
  options: Pick<RestoreOptions, 'target' | 'clients' | 'provide' | 'variables' | 'signal'>,
  work: (name: string, maintenance: Maintenance) => Promise<T>,
): Promise<T> {
  const { target, clients, provide, variables, signal } = options
  const { database } = target
  if (database === undefined)
    throw new LifeboatError('the target URL names no database', { hint: 'End it with the name: postgres://…/app.', status: 2 })
  const maintenance = await findMaintenance({ connection: target, client: await anyClient(clients, provide), variables, signal })
  if (['postgres', 'template0', 'template1'].includes(database))
    throw new LifeboatError(`mode swap cannot rename ${database}, which the work on other databases needs`, {
      hint: marked`Restore it with ‹mode: clean›, or keep your data in a database of its own.` })
  const { pooled, direct } = await detectPooler(maintenance)
  if (pooled)
    throw new LifeboatError(`${target.server} is a pooler in transaction mode, which cannot exchange databases`, {
      hint: `${useInstead(target, direct)}.` })
  const { release, lost } = await holdLock(database, maintenance)
  try {
    return await work(database, { ...maintenance, signal: AbortSignal.any([signal, lost]), interrupted: signal })
  } finally {
    await release()
  }
}

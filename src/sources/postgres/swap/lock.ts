import { LifeboatError } from '../../../error.ts'
import type { QueryContext } from '../query.ts'
import { lockSession, type SessionLock } from '../session-lock.ts'
import { numberOf } from './names.ts'

/** The number of the purpose. */
const PURPOSE = 0x6c626f74

/** Holds the lock of a target. Throws if another run has it. */
export async function holdLock(target: string, context: QueryContext): Promise<SessionLock> {
  const lock = await lockSession([PURPOSE, numberOf(target)], 'other restores', context)
  if (lock) return lock
  throw new LifeboatError(`another restore with mode swap is at work on ${target}`, { hint: 'Wait until it has ended.' })
}

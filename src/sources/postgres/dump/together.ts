import { lockTableIsFull, lockTimedOut, noConnectionIsFree, snapshotIsMissing } from '../errors.ts'
import { lostError, type SharedSnapshot } from './shared-snapshot.ts'

/** Starts a pg_dump, which ends with the signal. */
export type Dump = (signal: AbortSignal) => AsyncGenerator<Buffer>

/**
 * Starts all pg_dump at once, and the snapshot's session ends when each has sent its first bytes: it has taken the snapshot over then, and
 * locked its tables. A pg_dump that begins later could wait behind a TRUNCATE that waits for the session. After an error, none is left.
 */
export async function beginTogether(
  dumps: readonly Dump[], { where, lost, release }: SharedSnapshot, signal: AbortSignal,
): Promise<AsyncGenerator<Buffer>[]> {
  const ending = new AbortController()
  const archives = dumps.map((dump) => dump(AbortSignal.any([signal, lost, ending.signal])))
  try {
    const first = await Promise.all(archives.map((archive) => archive.next()))
    // With the session, its locks were gone: a table could be emptied before a pg_dump had locked it.
    if (!(await release())) throw lostError(where)
    return archives.map((archive, index) => withFirst(first[index]!, archive))
  } catch (error) {
    ending.abort(error)
    await Promise.allSettled(archives.map((archive) => archive.return(undefined)))
    const lasted = await release()
    signal.throwIfAborted()
    throw lasted || !snapshotIsMissing(error) ? error : lostError(where)
  }
}

export async function* withFirst(first: IteratorResult<Buffer>, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (!first.done) yield first.value
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}

/** Why one archive may succeed where several failed to begin; undefined if it would fail as well. */
export function reasonForOne(error: unknown): string | undefined {
  if (noConnectionIsFree(error)) return 'the server has no free connection for more'
  if (snapshotIsMissing(error)) return 'there are several servers behind its address'
  if (lockTableIsFull(error)) return 'the server has too small a lock table for more (max_locks_per_transaction)'
  if (lockTimedOut(error)) return 'another session waited for a large table, and kept the others from it'
  return undefined
}

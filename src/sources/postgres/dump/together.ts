import { setTimeout as sleep } from 'node:timers/promises'
import { lockTableIsFull, lockTimedOut, noConnectionIsFree, snapshotIsMissing } from '../errors.ts'
import { lostError, type SharedSnapshot } from './shared-snapshot.ts'

/** A pg_dump, which ends with the signal. */
export interface Dump {
  /** Of its sessions at the server; no other session has it. */
  session: string
  start: (signal: AbortSignal) => AsyncGenerator<Buffer>
}

/**
 * Starts all pg_dump at once, and the snapshot's session ends when each has sent its first bytes: it has taken the snapshot over then, and
 * locked its tables. A pg_dump that begins later could wait behind a TRUNCATE that waits for the session. After an error, none is left.
 */
export async function beginTogether(
  dumps: readonly Dump[], snapshot: SharedSnapshot, signal: AbortSignal,
): Promise<AsyncGenerator<Buffer>[]> {
  const ending = new AbortController()
  const archives = dumps.map(({ start }) => start(AbortSignal.any([signal, snapshot.lost, ending.signal])))
  const begun = Promise.all(archives.map((archive) => archive.next()))
  try {
    await requireSameServer(dumps, snapshot, begun)
    const first = await begun
    await snapshot.release()
    return archives.map((archive, index) => withFirst(first[index]!, archive))
  } catch (error) {
    ending.abort(error)
    await Promise.allSettled(archives.map((archive) => archive.return(undefined)))
    const lasted = await snapshot.release()
    signal.throwIfAborted()
    throw lasted || !(snapshotIsMissing(error) || error instanceof ElsewhereError) ? error : lostError(snapshot.where)
  }
}

/** Milliseconds between two looks: pg_dump takes many times as long to read the catalogs, and is at the server all that time. */
const LOOK = 10

/**
 * Servers behind one address could have snapshots of the same name, and not the same rows: each pg_dump must be seen at the server of the
 * snapshot before it ends.
 */
async function requireSameServer(dumps: readonly Dump[], { find }: SharedSnapshot, begun: Promise<unknown>): Promise<void> {
  const missing = new Set(dumps.map(({ session }) => session))
  let over = false
  const end = begun.finally(() => void (over = true))
  end.catch(() => undefined) // Thrown below.
  for (;;) {
    const last = over
    for (const session of await find([...missing])) missing.delete(session)
    if (missing.size === 0) return
    if (last) break
    await Promise.race([end, sleep(LOOK)])
  }
  throw new ElsewhereError('not every pg_dump is at the server of the snapshot')
}

class ElsewhereError extends Error {}

async function* withFirst(first: IteratorResult<Buffer>, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
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
  if (snapshotIsMissing(error) || error instanceof ElsewhereError)
    return 'there are several servers behind its address, or a proxy that renames sessions'
  if (lockTableIsFull(error)) return 'the server has too small a lock table for more (max_locks_per_transaction)'
  if (lockTimedOut(error)) return 'another session waited for a large table, and kept the others from it'
  return undefined
}

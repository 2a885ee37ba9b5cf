import type { Report } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import { retry, Transient } from '../net/retry.ts'
import type { Place, Sending } from './kind.ts'
import { type Notice, shortNotice } from './notice.ts'
import { isToldOf, type NotifyTarget } from './targets.ts'

const ATTEMPTS = 3
/** Milliseconds that a start signal may take, while the command runs. */
const BEGIN_MS = 10_000

/** The means of every message of a run. */
export type Means = Omit<Sending, 'signal' | 'limit'> & { report: Pick<Report, 'warning'> }

/**
 * Sends a notice to the targets that want it, all at the same time, within `budget` milliseconds. A message that cannot be sent is a
 * warning, and nothing else: never throws.
 */
export async function deliver(targets: readonly NotifyTarget[], notice: Notice, means: Means, budget: number): Promise<void> {
  const short = shortNotice(notice)
  const told = targets.filter((target) => isToldOf(target, notice.status))
  await Promise.all(told.map(({ place }) => attempt(place, means, budget, undefined, (sending) => place.send(short, sending))))
}

/** Tells those that want to know that the run has begun, while it goes on. The function returned ends this, and waits for the end. */
export function deliverBegin(targets: readonly NotifyTarget[], means: Means): () => Promise<void> {
  const ended = new AbortController()
  const beginning = Promise.all(targets.map(async ({ place }) => {
    if (place.begin) await attempt(place, means, BEGIN_MS, ended.signal, (sending) => place.begin!(sending))
  }))
  return async () => {
    ended.abort()
    await beginning
  }
}

/** `ended`: from then on the message is of no use any more. */
async function attempt(
  place: Place, { report, ...means }: Means, budget: number, ended: AbortSignal | undefined, send: (sending: Sending) => Promise<void>,
): Promise<void> {
  const controller = new AbortController()
  const { promise: late, reject } = Promise.withResolvers<never>()
  const stop = (error: Error): void => {
    reject(error)
    controller.abort(error)
  }
  const end = (): void => stop(new Ended())
  // A server that answers byte by byte is never silent; and a timer of AbortSignal would not keep the process alive until then.
  const limit = setTimeout(() => stop(new LifeboatError(`it was not taken within ${Math.round(budget / 100) / 10} s`)), budget)
  ended?.addEventListener('abort', end)
  const { signal } = controller
  // Some clients take whole numbers alone, and throw where nobody can catch it.
  const once = (limit: number): Promise<void> => send({ ...means, signal, limit: Math.ceil(limit) })
  const sending = retry(once, { signal, budget, attempts: ATTEMPTS })
  try {
    await Promise.race([sending, late])
  } catch (error) {
    if (!(error instanceof Ended)) {
      const hint = error instanceof LifeboatError && !(error instanceof Transient) ? error.hint : undefined
      report.warning(`no message was sent to ${place.shown}: ${messageOf(error)}`, hint ?? 'The result of this run is not affected.')
    }
  } finally {
    clearTimeout(limit)
    ended?.removeEventListener('abort', end)
    // The one that lost the race may still end with an error.
    sending.catch(() => undefined)
  }
}

/** The command was faster than the message that it begins. */
class Ended extends Error {}

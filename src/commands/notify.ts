import { performance } from 'node:perf_hooks'
import type { Environment } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { NotifyInputs } from '../inputs/notify.ts'
import type { AccessInputs } from '../inputs/store.ts'
import { deliver, deliverBegin, type Means } from '../notify/deliver.ts'
import { isGood } from '../notify/notice.ts'
import { asksForRecovery } from '../notify/targets.ts'
import { openKeys } from '../repository/open-keys.ts'
import { openRepository } from '../repository/repository.ts'
import { keepStanding, readStanding } from '../repository/standing.ts'
import { type Destination, openStore } from '../stores/destination.ts'
import { repositoryOf } from './github.ts'
import { type Ended, endedBadly, noticeOf } from './notice.ts'

/** Of the inputs of a command, those that messages need; a command without `notify` sends none. */
export interface Notifying {
  readonly notify?: NotifyInputs
  readonly set?: string | undefined
  readonly key?: string | undefined
  readonly access?: AccessInputs
  readonly destination?: Destination
  readonly destinations?: readonly Destination[]
  readonly [other: string]: unknown
}

/** Milliseconds by which all messages together may delay the end of a run, and of one that was cancelled. */
const MOST_MS = 15_000
const MOST_MS_INTERRUPTED = 3000
/** Of these, as many may be taken to find out how the run before ended. */
const LOOKING_MS = 5000

/** Does the work, and tells the targets that it begins and how it ends. Messages change nothing in the outcome. */
export async function notifying<T>(
  command: string, inputs: Notifying, environment: Environment, work: () => Promise<T>, endOf: (result: T) => Ended,
): Promise<T> {
  const { notify } = inputs
  if (notify === undefined || notify.targets.length === 0) return work()
  const started = performance.now()
  const means = meansOf(inputs, notify, environment)
  const endBeginning = deliverBegin(notify.targets, means)
  const tell = async (ended: Ended): Promise<void> => {
    await endBeginning()
    await tellEnd(command, ended, (performance.now() - started) / 1000, inputs, notify, means, environment)
  }
  let result
  try {
    result = await work()
  } catch (error) {
    await tell(endedBadly(environment.signal.aborted ? environment.signal.reason : error))
    throw error
  }
  await tell(endOf(result))
  return result
}

/** The same for a run that cannot begin. */
export async function notifyOfRefusal(command: string, error: unknown, inputs: Notifying, environment: Environment): Promise<void> {
  await notifying(command, inputs, environment, () => Promise.reject(error), () => endedBadly(error)).catch(() => undefined)
}

/** The set of a run; undefined where each source has its own. */
function setOf({ set, choice, part }: Notifying): string | undefined {
  return choice === undefined && part === undefined ? set : undefined
}

function meansOf(inputs: Notifying, { secret }: NotifyInputs, { variables, report }: Environment): Means {
  const { access, destination, destinations } = inputs
  const where = [...(destinations ?? []), ...(destination ? [destination] : [])].map(({ text }) => text)
  return {
    report,
    secret,
    subject: [...where, setOf(inputs) ?? ''].join('\n'),
    repository: ({ signal, timeout }) =>
      repositoryOf({ token: access?.token ?? variables['GITHUB_TOKEN'], timeout }, { variables, signal }),
  }
}

async function tellEnd(
  command: string,
  ended: Ended,
  seconds: number,
  inputs: Notifying,
  { targets }: NotifyInputs,
  means: Means,
  environment: Environment,
): Promise<void> {
  const budget = environment.signal.aborted ? MOST_MS_INTERRUPTED : MOST_MS
  const started = performance.now()
  const left = (): number => Math.max(1, budget - (performance.now() - started))
  const asked = asksForRecovery(targets)
  const looking = Math.min(LOOKING_MS, budget)
  const look = (): Promise<boolean> => (asked ? standingChanged(command, ended, inputs, environment, looking) : Promise.resolve(false))
  const tell = (one: Ended): Promise<void> => deliver(
    targets, noticeOf(command, one, { set: setOf(inputs), seconds }, environment), means, left(),
  )
  // A failure is told whatever is known of the run before.
  if (!isGood(ended)) await Promise.all([tell(ended), look()])
  else await tell((ended.recovered ?? await look()) ? { ...ended, status: 'recovered' } : ended)
}

/** Keeps in the store how the run ended, if it is not how the one before did; tells whether it changed. Never throws. */
async function standingChanged(
  command: string, ended: Ended, inputs: Notifying, environment: Environment, limit: number,
): Promise<boolean> {
  const controller = new AbortController()
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const tellWhy = (why: string): void => environment.report.info(`how this run ended is not kept for the next one: ${why}`)
  const timer = setTimeout(() => {
    tellWhy(`the store did not answer within ${limit / 1000} s`)
    resolve(false)
    controller.abort(new LifeboatError('no time is left'))
  }, limit)
  const keeping = changedInAny(command, ended, inputs, { ...environment, signal: controller.signal }).catch((error: unknown) => {
    if (!controller.signal.aborted) tellWhy(messageOf(error))
    return false
  })
  try {
    return await Promise.race([keeping, late])
  } finally {
    clearTimeout(timer)
  }
}

async function changedInAny(command: string, ended: Ended, inputs: Notifying, environment: Environment): Promise<boolean> {
  const { destination, destinations = destination ? [destination] : [], key, access } = inputs
  if (key === undefined || access === undefined) return false
  const own = ended.set ?? setOf(inputs)
  const sets = ended.sets ?? (own === undefined ? [] : [{ set: own, status: ended.status }])
  let changed = false
  for (const one of destinations) {
    for (const { set, status } of sets) {
      const store = await openStore(one, { ...access, set }, environment)
      try {
        await openRepository(store)
        const keys = await openKeys(key, { store, create: false })
        const about = { set, command, now: environment.now() }
        const before = await readStanding(store, keys, about)
        const standing = isGood({ status }) ? 'good' : 'failed'
        // Nothing is kept of sets that never failed.
        if (standing === (before ?? 'good')) continue
        await keepStanding(store, keys, about, standing)
        await store.groups?.commit([])
        changed ||= before === 'failed'
      } finally {
        await store.close()
      }
    }
  }
  return changed
}

import { performance } from 'node:perf_hooks'
import type { Environment } from '../environment.ts'
import { messageOf } from '../error.ts'
import type { NotifyInputs } from '../inputs/notify.ts'
import { deliver, deliverBegin, type Means } from '../notify/deliver.ts'
import { isGood } from '../notify/notice.ts'
import { asksForRecovery } from '../notify/targets.ts'
import { sheltered } from '../process/lifecycle.ts'
import { repositoryOf } from './github.ts'
import { destinationsOf, type Ended, endedBadly, noticeOf, type Notifying, workOf } from './notice.ts'
import { setOf, standingChanged } from './run-standing.ts'

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
    const seconds = (performance.now() - started) / 1000
    await sheltered(() => tellEnd(command, ended, seconds, inputs, notify, means, environment), (error) =>
      environment.report.warning(`an error while messages were sent: ${messageOf(error)}`, 'The result of this run is not affected.'))
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

function meansOf(inputs: Notifying, { secret }: NotifyInputs, { variables, report }: Environment): Means {
  const where = destinationsOf(inputs).map(({ text }) => text)
  return {
    report,
    secret,
    subject: [...where, setOf(inputs) ?? ''].join('\n'),
    repository: ({ signal, timeout }) =>
      repositoryOf({ token: inputs.access?.token ?? variables['GITHUB_TOKEN'], timeout }, { variables, signal }),
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
    targets, noticeOf(command, one, { ...workOf(command, inputs), set: setOf(inputs), seconds }, environment), means, left(),
  )
  // A failure is told whatever is known of the run before.
  if (!isGood(ended)) await Promise.all([tell(ended), look()])
  else await tell((await look()) || ended.recovered === true ? { ...ended, status: 'recovered' } : ended)
}

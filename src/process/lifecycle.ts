import type { Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { exit } from './exit.ts'
import { useProxy } from './proxy.ts'
import { newRunId, removeAbandoned, removeFolder, stagingFolder } from './staging.ts'

/**
 * A runner that cancels sends SIGINT, SIGTERM 7.5 s later, and kills everything 2.5 s after that. A run that cannot end until then
 * says before what it leaves behind.
 */
const patienceMs = 6000

const INTERRUPTED = 'interrupted'
const NOT_ENDED =
  `the run was stopped without waiting for operations that did not end within ${patienceMs / 1000} s; ` +
  'temporary files of them may be left in the store, and later backups remove them'
/** The status that a shell shows for a program that SIGINT ended; for SIGTERM the same. */
const INTERRUPTED_STATUS = 130

/**
 * Runs `work` with an environment of its own: its requests go through the proxies that `variables` name, SIGINT and SIGTERM abort its
 * signal, a second SIGINT exits at once, and the staging folder under `temporaryRoot` is gone afterwards however it ends; that of runs
 * which were killed goes first. Rejects with `interrupted`, and what work said that it leaves, when work stopped because of a signal, or,
 * after a warning, did not stop within 6 s of it. `id` names the run where someone else must know it.
 */
export async function withEnvironment<T>(
  given: Pick<Environment, 'variables' | 'report' | 'run' | 'output' | 'ask' | 'findsConfiguration'> & {
    temporaryRoot: string; id?: string
  },
  work: (environment: Environment) => Promise<T>,
): Promise<T> {
  const { variables, report, run, output, ask, findsConfiguration = false } = given
  const temporary = stagingFolder(given.temporaryRoot, given.id ?? newRunId())
  removeAbandoned(given.temporaryRoot, new Date())
  const controller = new AbortController()
  const { signal } = controller

  const { promise: broken, reject: breakOff } = Promise.withResolvers<never>()
  let patience: NodeJS.Timeout | undefined
  let left: { state: string; hint: string | undefined } | undefined
  const interrupt = (name: NodeJS.Signals): void => {
    if (signal.aborted && name === 'SIGINT') {
      if (left) report.warning(`ended at once: ${left.state}`, left.hint)
      exit(INTERRUPTED_STATUS)
    }
    controller.abort(new LifeboatError(INTERRUPTED, { status: INTERRUPTED_STATUS }))
    patience ??= setTimeout(() => {
      report.warning(NOT_ENDED)
      breakOff(signal.reason)
    }, patienceMs)
  }
  const fatal = (error: unknown): void => {
    if (shelter) return shelter(error)
    breakOff(error)
    controller.abort(error)
  }
  const removeStaging = (): void => removeFolder(temporary)

  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  process.on('uncaughtException', fatal)
  process.on('exit', removeStaging)
  try {
    useProxy(variables)
    const leaves: Environment['leaves'] = (state, hint) => void (left = { state, hint })
    const environment = {
      variables, signal, report, temporary, run, now: () => new Date(), leaves, findsConfiguration,
      ...(output && { output }), ...(ask && { ask }),
    }
    return await Promise.race([work(environment), broken])
  } catch (error) {
    if (!signal.aborted) throw error
    throw left && isInterruption(signal.reason) ? interruption(left, error) : signal.reason
  } finally {
    clearTimeout(patience)
    removeStaging()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    process.off('uncaughtException', fatal)
    process.off('exit', removeStaging)
  }
}

let shelter: ((error: unknown) => void) | undefined

/**
 * Does work that must not change the outcome of the run any more, as a message about it: `tell` gets the errors that nobody catches
 * meanwhile.
 */
export async function sheltered(work: () => Promise<void>, tell: (error: unknown) => void): Promise<void> {
  const outer = shelter
  shelter = tell
  try {
    await work()
  } finally {
    shelter = outer
  }
}

function isInterruption(reason: unknown): boolean {
  return reason instanceof LifeboatError && reason.status === INTERRUPTED_STATUS
}

function interruption({ state, hint }: { state: string; hint: string | undefined }, error: unknown): LifeboatError {
  return new LifeboatError(`${INTERRUPTED}: ${state}`, {
    status: INTERRUPTED_STATUS, ...(hint !== undefined && { hint }), ...(error instanceof LifeboatError && { left: error.left }) })
}

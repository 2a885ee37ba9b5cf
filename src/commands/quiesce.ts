import { arrangeFinalSteps } from '../process/watchdog.ts'
import { runChild, ChildError } from '../process/child.ts'
import type { Environment, Variables } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import { endOf } from '../process/cut.ts'
import { dockerEnvironment, runDocker } from '../sources/volumes/docker.ts'

/** Containers that rest while a command works, and commands of the user around it. */
interface Hooks {
  /** Docker containers, by name or by `label=LABEL`. */
  containers: readonly { name?: string; label?: string }[]
  mode: string
  /** Commands for sh; '' is none. */
  before: string
  after: string
}

/**
 * Does work while everything that writes rests. If the work succeeds and bringing the writers back does not, the reason is
 * returned: it must be told, but is no reason to throw away the data that was read. If both fail, the work's failure is thrown and the
 * other is a warning. `afterFailure`: the hint if the pre-command fails.
 */
export async function whileQuiet<T>(
  hooks: Hooks,
  environment: Environment,
  work: () => Promise<T>,
  afterFailure: string,
): Promise<{ result: T; notResumed?: string }> {
  const resume = await quiesce(hooks, environment, afterFailure)
  let result: T
  try {
    result = await work()
  } catch (error) {
    await resume().catch((failure: unknown) => warnOfFailure(failure, environment))
    throw error
  }
  try {
    await resume()
    return { result }
  } catch (error) {
    const hint = error instanceof LifeboatError ? error.hint : undefined
    return { result, notResumed: [messageOf(error), ...(hint === undefined ? [] : [hint])].join('. ') }
  }
}

/** Does the rest of a command although its writers could not be brought back: if the rest fails too, that is a warning. */
export async function despite<T>(failure: string | undefined, { report }: Environment, rest: () => Promise<T>): Promise<T> {
  try {
    return await rest()
  } catch (error) {
    if (failure !== undefined) report.warning(failure)
    throw error
  }
}

/**
 * Brings everything that writes to the sources to rest: runs the pre-command, stops or pauses containers. The returned function brings it
 * back, once, even if it is called more often. If this process dies without calling it, another process does that (process/watchdog.ts).
 */
async function quiesce(
  hooks: Hooks, { variables, signal, report }: Environment, afterFailure: string,
): Promise<() => Promise<void>> {
  const { containers: wanted, mode, before, after } = hooks
  if (wanted.length === 0 && before === '' && after === '') return async () => undefined
  const running = wanted.length === 0 ? [] : await runningContainers(wanted, { variables, signal })
  const pause = mode === 'pause'
  const [start, unpause] = pause ? [[], running] : [running, []]
  const back = await arrangeFinalSteps(
    { start, unpause, command: after },
    { ...dockerEnvironment(variables), ...hookEnvironment(variables) },
  )
  try {
    if (before !== '') await runHook(before, { variables, signal, report }, afterFailure)
    if (running.length > 0) {
      report.info(`${pause ? 'pausing' : 'stopping'} ${running.join(', ')}`)
      await runDocker([pause ? 'pause' : 'stop', ...running], { variables, signal })
    }
  } catch (error) {
    await back().catch((failure: unknown) => warnOfFailure(failure, { report }))
    throw error
  }
  return back
}

/** Names of those that run and are not paused; one that does not exist is an error, one that does not run is left as it is. */
async function runningContainers(wanted: Hooks['containers'], given: { variables: Variables; signal: AbortSignal }): Promise<string[]> {
  const names = new Set<string>()
  for (const one of wanted) {
    const filter = one.name !== undefined ? `name=^/?${one.name.replaceAll('.', '\\.')}$` : `label=${one.label}`
    const lines = (await runDocker(
      ['ps', '--all', '--no-trunc', '--filter', filter, '--format', '{{.Names}} {{.State}}'],
      given,
    )).split('\n').filter((line) => line !== '')
    if (lines.length === 0 && one.name !== undefined) {
      throw new LifeboatError(`there is no container ${one.name} to stop`, { hint: '`docker ps --all` shows them.' })
    }
    for (const line of lines) {
      const [name, state] = line.split(' ')
      if (state === 'running') names.add(name!)
    }
  }
  return [...names]
}

/** The environment of a command of the user: without the variables that are Lifeboat's or the runner's own. */
function hookEnvironment(variables: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(
      ([name, value]) => (value === undefined || /^(INPUT_|STATE_|LIFEBOAT_|RUNNER_TRACKING_ID$)/.test(name) ? [] : [[name, value]]),
    ),
  )
}

async function runHook(
  command: string,
  { variables, signal, report }: Pick<Environment, 'variables' | 'signal' | 'report'>,
  afterFailure: string,
): Promise<void> {
  try {
    // By a variable, for others can see the arguments of a process.
    await runChild(
      'sh',
      ['-c', 'eval "$LIFEBOAT_COMMAND"'],
      { environment: { ...hookEnvironment(variables), LIFEBOAT_COMMAND: command }, signal },
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof ChildError)) throw error
    const stderr = error.exit.stderr.trim()
    const said = report.redacted?.(stderr) ?? stderr
    throw new LifeboatError(
      `pre-command ${error.message.replace(/^sh /, '')}${said === '' ? ', and printed no error' : `: ${endOf(said, 1000)}`}`,
      { cause: error, hint: afterFailure },
    )
  }
}

/** A failure beside another one that ends the command. */
function warnOfFailure(failure: unknown, { report }: Pick<Environment, 'report'>): void {
  report.warning(messageOf(failure), failure instanceof LifeboatError ? failure.hint : undefined)
}

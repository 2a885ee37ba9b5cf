import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import path from 'node:path'
import type { Environment } from './environment.ts'
import { LifeboatError } from './error.ts'

/**
 * Runs `work` with an environment of its own: SIGINT and SIGTERM abort its signal, a second SIGINT exits at once, and the
 * staging folder under `temporaryRoot` is gone afterwards however it ends. Rejects with `interrupted` when work stopped because of a signal.
 */
export async function withEnvironment<T>(
  given: Pick<Environment, 'variables' | 'report' | 'run'> & { temporaryRoot: string },
  work: (environment: Environment) => Promise<T>,
): Promise<T> {
  const { variables, report, run } = given
  const temporary = path.join(given.temporaryRoot, `lifeboat-${randomUUID()}`)
  const controller = new AbortController()
  const { signal } = controller

  const interrupt = (name: NodeJS.Signals): void => {
    if (signal.aborted && name === 'SIGINT') process.exit(1)
    controller.abort(new LifeboatError('interrupted'))
  }
  const { promise: broken, reject: breakOff } = Promise.withResolvers<never>()
  const fatal = (error: unknown): void => {
    breakOff(error)
    controller.abort(error)
  }
  const removeStaging = (): void => rmSync(temporary, { recursive: true, force: true })

  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  process.on('uncaughtException', fatal)
  process.on('exit', removeStaging)
  try {
    return await Promise.race([work({ variables, signal, report, temporary, run, now: () => new Date() }), broken])
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    removeStaging()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    process.off('uncaughtException', fatal)
    process.off('exit', removeStaging)
  }
}

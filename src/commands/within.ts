import { LifeboatError } from '../error.ts'

/** Does work at a store that nothing depends on. Aborts it after so many milliseconds, and throws then. */
export async function within<T>(limit: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const error = new LifeboatError(`the store did not answer within ${limit / 1000} s`)
    reject(error)
    controller.abort(error)
  }, limit)
  try {
    return await Promise.race([work(controller.signal), late])
  } finally {
    clearTimeout(timer)
  }
}

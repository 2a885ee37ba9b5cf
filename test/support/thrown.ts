import { LifeboatError } from '../../src/error.ts'

/** The error for people that a promise is rejected with; throws anything else, and where nothing is thrown. */
export async function thrownBy(promise: Promise<unknown>): Promise<LifeboatError> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof LifeboatError)) throw error
  return error
}

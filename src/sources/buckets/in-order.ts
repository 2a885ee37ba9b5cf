/** Something to fetch, and how many bytes it will take. */
export interface Fetch<T> {
  size: number
  fetch: () => Promise<T>
}

export interface AheadOptions {
  /** How many are fetched at the same time. */
  most: number
  /** How many bytes are on their way or waiting; one larger than that goes alone. */
  bytes: number
}

/**
 * What is fetched, in order, the next ones fetched meanwhile. The first failure is thrown in its turn; what is still under way then, or
 * when the loop is left, is awaited and dropped.
 */
export async function* inOrder<T>(fetches: Iterable<Fetch<T>>, { most, bytes }: AheadOptions): AsyncGenerator<T, void, void> {
  const ahead: { size: number; result: Promise<T> }[] = []
  let held = 0
  try {
    for (const { size, fetch } of fetches) {
      while (ahead.length > 0 && (ahead.length >= most || held + size > bytes)) {
        yield await ahead[0]!.result
        held -= ahead.shift()!.size
      }
      const result = fetch()
      result.catch(() => undefined) // Thrown in its turn; until then it must not count as unhandled.
      ahead.push({ size, result })
      held += size
    }
    while (ahead.length > 0) {
      yield await ahead[0]!.result
      ahead.shift()
    }
  } finally {
    await Promise.allSettled(ahead.map(({ result }) => result))
  }
}

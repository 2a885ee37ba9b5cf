/** Something to fetch, and its size in bytes. */
export interface Fetch<T> {
  size: number
  fetch: () => Promise<T>
}

export interface AheadOptions {
  /** The largest number of fetches at the same time. */
  most: number
  /** The most bytes that are being fetched or waiting; a larger one is fetched alone. */
  bytes: number
}

/**
 * The results of fetches, in order, while the next ones are fetched. A failure is thrown in its turn. Fetches that still run then, or when
 * the loop is left, are awaited and dropped.
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

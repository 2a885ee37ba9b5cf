import type { StoredObject } from '../store.ts'

/** Where one of several listings of a prefix goes on. */
export interface Lane {
  /** Keys up to this one, itself included, are left out; only for the first page of a lane. */
  after: string | undefined
  token: string | undefined
}

interface Page {
  objects: StoredObject[]
  /** Undefined on the last page. */
  next: string | undefined
}

const AT_ONCE = 8
const DIGITS = Array.from({ length: 16 }, (_, digit) => digit.toString(16))

/**
 * Everything with a prefix, out of a service that gives it page by page, each key once and in the order of its bytes. One page after the
 * other takes minutes for a million chunks; their ids being evenly distributed, where there is more than one page they are listed by first
 * digit, several at the same time.
 */
export async function* inLanes(prefix: string, page: (lane: Lane) => Promise<Page>): AsyncGenerator<StoredObject, void, void> {
  const first = await page({ after: undefined, token: undefined })
  yield* first.objects
  if (first.next === undefined) return
  const last = first.objects.at(-1)?.key
  const bounds = prefix === 'chunks/' && last !== undefined ? DIGITS.map((digit) => prefix + digit).filter((bound) => bound > last) : []
  const lanes = [undefined, ...bounds].map((after, index) =>
    pagesOf(page, { after, token: after === undefined ? first.next : undefined }, bounds[index]),
  )
  yield* together(lanes)
}

/** The pages of one lane, up to and with the key `end`. */
async function* pagesOf(
  page: (lane: Lane) => Promise<Page>,
  start: Lane,
  end: string | undefined,
): AsyncGenerator<StoredObject[], void, void> {
  for (let lane: Lane | undefined = start; lane; ) {
    const { objects, next }: Page = await page(lane)
    yield end === undefined ? objects : objects.filter(({ key }) => key <= end)
    const beyond = end !== undefined && (objects.at(-1)?.key ?? '') > end
    lane = next === undefined || beyond ? undefined : { after: undefined, token: next }
  }
}

/** Yields from several generators, as objects come, from a few of them at the same time. */
async function* together(lanes: AsyncGenerator<StoredObject[], void, void>[]): AsyncGenerator<StoredObject, void, void> {
  const waiting = [...lanes]
  const running = new Map<
    AsyncGenerator<StoredObject[], void, void>,
    Promise<{ lane: AsyncGenerator<StoredObject[], void, void>; result: IteratorResult<StoredObject[], void> }>
  >()
  const advance = (lane: AsyncGenerator<StoredObject[], void, void>): void =>
    void running.set(
      lane,
      lane.next().then((result) => ({ lane, result })),
    )
  try {
    for (;;) {
      while (running.size < AT_ONCE && waiting.length > 0) advance(waiting.shift()!)
      if (running.size === 0) return
      const { lane, result } = await Promise.race(running.values())
      if (result.done) running.delete(lane)
      else {
        advance(lane)
        yield* result.value
      }
    }
  } finally {
    // Those under way end with their page, whose failure nobody waits for any more.
    await Promise.allSettled(running.values())
  }
}

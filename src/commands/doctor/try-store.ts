import { randomBytes } from 'node:crypto'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Finding } from '../../report/finding.ts'
import { isThere, type Store, type StoredObject } from '../../stores/store.ts'

/** Objects of a trial are here, and gone after it. No other part of the program looks here. */
const FOLDER = 'doctor'
const LATENCY_SAMPLES = 5
/** S3 refuses requests of a clock that differs by fifteen minutes; retention goes wrong long after that. */
const TOLERATED_SKEW_MS = 60_000

/**
 * Tries everything that a backup, a restore and a prune ask of a store, for real. A failure becomes a bad finding; only an interruption
 * is thrown.
 */
export async function tryStore(store: Store, now: () => Date, signal: AbortSignal): Promise<Finding[]> {
  const checks: Finding[] = []
  const key = `${FOLDER}/${randomBytes(8).toString('hex')}`
  const note = (check: string, state: Finding['state'], says: string, fix?: string) => checks.push({
    about: store.name,
    check,
    state,
    says,
    ...(fix !== undefined && { fix }),
  })
  /** Whether the next step makes sense. */
  const step = async (check: string, attempt: () => Promise<string>): Promise<boolean> => {
    signal.throwIfAborted()
    try {
      note(check, 'good', await attempt())
      return true
    } catch (error) {
      signal.throwIfAborted()
      note(check, 'bad', messageOf(error), error instanceof LifeboatError ? error.hint : undefined)
      return false
    }
  }

  let snapshots = 0
  if (!(await step('list', async () => `snapshots: ${(snapshots = await count(store.list('snapshots/')))}`))) return checks
  if (snapshots === 0) Object.assign(checks[0]!, await aboutNone(store))
  if (store.groups) {
    note('put', 'good', 'not tried: what is put becomes an artifact of this run only with a backup')
    return checks
  }
  try {
    const [first, second] = [randomBytes(100_000), randomBytes(50_000)]
    if (!(await step('put', async () => timed(() => store.put(key, first), (time) => `100 kB in ${time}`)))) return checks
    await step('get', () => same(store, key, first))
    const found = await one(store, key)
    if (found) note('find', 'good', 'listed as soon as it was put')
    else note(
      'find',
      'warning',
      'what was put is not listed at once',
      'Leave some minutes between backups of one set; nothing is lost by it.',
    )
    await step('overwrite', async () => {
      await store.put(key, second)
      return same(store, key, second)
    })
    await step('latency', async () => `${await median(LATENCY_SAMPLES, () => store.head(key))} for a request`)
    const skew = (await store.head(key)).modified.getTime() - now().getTime()
    if (Math.abs(skew) <= TOLERATED_SKEW_MS) note('clock', 'good', 'agrees with that of this machine')
    else note(
      'clock',
      'warning',
      `is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? 'ahead of' : 'behind'} that of this machine`,
      'Set the clock of the machine that is wrong (NTP): ages and the order of backups depend on it.',
    )
  } catch (error) {
    signal.throwIfAborted()
    note('head', 'bad', messageOf(error), error instanceof LifeboatError ? error.hint : undefined)
  } finally {
    await step('delete', async () => {
      await store.delete(key)
      if (await isThere(store, key)) {
        throw new LifeboatError(
          `${key} is still there after it was deleted`,
          { hint: 'The store keeps what it is told to delete (object lock, versions?): a prune will free nothing.' },
        )
      }
      return 'deleted immediately'
    })
  }
  return checks
}

/** For a store without a snapshot that can be read. */
async function aboutNone(store: Store): Promise<Pick<Finding, 'fix'> & Partial<Finding>> {
  if (!store.groups || !(await store.groups.exist())) {
    return { fix: marked`If no backup has finished here yet, run ‹lifeboat backup›. Otherwise check ‹destination› and ‹set›.` }
  }
  return {
    state: 'warning',
    says: 'there are artifacts of this set, but no snapshot can be read',
    fix: 'Run backup: it stores everything again. The warnings above say what is wrong with these artifacts.',
  }
}

async function count(objects: AsyncIterable<StoredObject>): Promise<number> {
  let counted = 0
  for await (const _ of objects) counted++
  return counted
}

async function same(store: Store, key: string, bytes: Buffer): Promise<string> {
  const read = await store.get(key, bytes.length)
  if (!read.equals(bytes)) {
    throw new LifeboatError(
      `${key} came back with ${read.length} bytes that are not the ${bytes.length} that were put`,
      { hint: 'Do not back up to this store: it does not keep what it is given.' },
    )
  }
  return 'read back unchanged'
}

async function one(store: Store, key: string): Promise<StoredObject | undefined> {
  for await (const object of store.list(`${FOLDER}/`)) if (object.key === key) return object
  return undefined
}

async function timed(work: () => Promise<unknown>, say: (time: string) => string): Promise<string> {
  const started = performance.now()
  await work()
  return say(milliseconds(performance.now() - started))
}

async function median(samples: number, work: () => Promise<unknown>): Promise<string> {
  const times: number[] = []
  for (let sample = 0; sample < samples; sample++) {
    const started = performance.now()
    await work()
    times.push(performance.now() - started)
  }
  return milliseconds(times.toSorted((a, b) => a - b)[Math.floor(samples / 2)]!)
}

function milliseconds(time: number): string {
  return `${time < 10 ? time.toFixed(1) : time.toFixed(0)} ms`
}

import { randomBytes } from 'node:crypto'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { badFinding, type Finding, withoutAdvice } from '../../report/finding.ts'
import { requirePlace } from '../../repository/repository.ts'
import { isThere, type Store } from '../../stores/store.ts'

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
  const trial = new Trial(store.name, signal)
  if (!(await trial.step('list', () => countSnapshots(store)))) return trial.findings
  if (store.groups) await trial.step('put', async () => 'not tried: objects become an artifact of this run only with a backup')
  else await tryObject(store, `${FOLDER}/${randomBytes(8).toString('hex')}`, now, trial)
  // Where nothing can be put, an empty list is no sign that a backup should be made.
  return trial.findings.some(({ state }) => state === 'bad') ? trial.findings.map(withoutAdvice) : trial.findings
}

/** Puts, reads, replaces and deletes one object. Nothing of it stays in a folder of this machine, also if it is interrupted. */
async function tryObject(store: Store, key: string, now: () => Date, trial: Trial): Promise<void> {
  const [first, second] = [randomBytes(100_000), randomBytes(50_000)]
  const put = await trial.step('put', async () => {
    await requirePlace(store)
    return `100 kB in ${milliseconds(await timeOf(() => store.put(key, first)))}`
  })
  if (!put) {
    // It may be there although the answer was lost. Whether objects can be deleted is not told by one that is missing.
    await store.delete(key).catch(() => undefined)
    await removeMade(store)
    return
  }
  let isDone = false
  try {
    await trial.step('get', () => same(store, key, first))
    await trial.step('find', () => find(store, key))
    await trial.step('overwrite', async () => {
      await store.put(key, second)
      return same(store, key, second)
    })
    await trial.step('latency', async () => `${milliseconds(await median(LATENCY_SAMPLES, () => store.head(key)))} for a request`)
    await trial.step('clock', () => compareClocks(store, key, now))
    await trial.step('delete', () => deleteForGood(store, key))
    isDone = true
  } finally {
    if (!isDone) await store.delete(key).catch(() => undefined)
    await removeMade(store)
  }
}

/** An empty folder that cannot be removed is no reason against the store. */
async function removeMade(store: Store): Promise<void> {
  await store.removeMade?.().catch(() => undefined)
}

/** The result of a step: a text if all is good. */
type Told = string | Pick<Finding, 'state' | 'says' | 'fix'>

class Trial {
  readonly findings: Finding[] = []
  readonly #name: string
  readonly #signal: AbortSignal

  constructor(name: string, signal: AbortSignal) {
    this.#name = name
    this.#signal = signal
  }

  /** Whether it could be done, so that the next step makes sense. */
  async step(check: string, attempt: () => Promise<Told>): Promise<boolean> {
    this.#signal.throwIfAborted()
    try {
      const told = await attempt()
      this.findings.push({ about: this.#name, check, ...(typeof told === 'string' ? { state: 'good', says: told } : told) })
      return true
    } catch (error) {
      this.#signal.throwIfAborted()
      this.findings.push(badFinding(this.#name, check, error))
      return false
    }
  }
}

async function countSnapshots(store: Store): Promise<Told> {
  let snapshots = 0
  for await (const _ of store.list('snapshots/')) snapshots++
  const says = `snapshots: ${snapshots}`
  if (snapshots > 0) return says
  if (!store.groups || !(await store.groups.exist())) {
    const fix = marked`If no backup has finished here yet, run ‹lifeboat backup›. Otherwise check ‹destination› and ‹set›.`
    return { state: 'good', says, fix }
  }
  return {
    state: 'warning',
    says: 'there are artifacts of this set, but no snapshot can be read',
    fix: 'Run backup: it stores everything again. The warnings above say what is wrong with these artifacts.',
  }
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

async function find(store: Store, key: string): Promise<Told> {
  for await (const object of store.list(`${FOLDER}/`)) if (object.key === key) return 'listed as soon as it was put'
  return {
    state: 'warning',
    says: 'a new object is not listed at once',
    fix: 'Leave some minutes between backups of one set; nothing is lost by it.',
  }
}

async function compareClocks(store: Store, key: string, now: () => Date): Promise<Told> {
  const skew = (await store.head(key)).modified.getTime() - now().getTime()
  if (Math.abs(skew) <= TOLERATED_SKEW_MS) return 'agrees with that of this machine'
  return {
    state: 'warning',
    says: `is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? 'ahead of' : 'behind'} that of this machine`,
    fix: 'Set the clock of the machine that is wrong (NTP): ages and the order of backups depend on it.',
  }
}

async function deleteForGood(store: Store, key: string): Promise<string> {
  await store.delete(key)
  if (!(await isThere(store, key))) return 'deleted immediately'
  throw new LifeboatError(
    `${key} is still there after it was deleted`,
    { hint: 'The store keeps what it is told to delete (object lock, versions?): a prune will free nothing.' },
  )
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

async function median(samples: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let sample = 0; sample < samples; sample++) times.push(await timeOf(work))
  return times.toSorted((a, b) => a - b)[Math.floor(samples / 2)]!
}

function milliseconds(time: number): string {
  return `${time < 10 ? time.toFixed(1) : time.toFixed(0)} ms`
}

import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { planTag } from '../../inputs/plan.ts'
import { inParallel } from '../../process/parallel.ts'
import { warningOf } from '../../report/warnings.ts'
import { setOf, snapshotKeys } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import type { Store } from '../../stores/store.ts'
import { findDatabases } from '../sets/server-databases.ts'
import { ownSet } from '../sets/set-names.ts'
import { withStore } from '../with-store.ts'
import type { VerdictInputs } from './inputs.ts'
import { judgeSet } from './judge-set.ts'
import type { SetVerdict, VerdictResult } from './result.ts'

/** Sets that are looked at at the same time. */
const PARALLEL = 16

/** Tells for every set of a plan whether the run of this plan, and no other, made a good snapshot of it. */
export async function verdict(inputs: VerdictInputs, environment: Environment): Promise<VerdictResult> {
  const { plan } = inputs
  const { store, sets, size, added } = await withStore(inputs, environment, (store, keys) => judge(store, keys, inputs, environment))
  const count = (state: SetVerdict['state']): number => sets.filter((one) => one.state === state).length
  const [oldest] = sets.flatMap(({ set, made }) => (made === undefined ? [] : [{ set, time: made }])).toSorted((a, b) => {
    return a.time < b.time ? -1 : 1
  })
  const unplanned = await unplannedSets(inputs, environment)
  return {
    store, plan: plan.id, planned: plan.time, time: environment.now().toISOString(),
    sets, done: count('done'), unverified: count('unverified'), failed: count('failed'), missing: count('missing'),
    ...(oldest && { oldest }), size, added, ...(unplanned && { unplanned }),
  }
}

async function judge(
  store: Store,
  keys: Keys,
  { plan }: VerdictInputs,
  environment: Environment,
): Promise<Pick<VerdictResult, 'sets' | 'size' | 'added'> & { store: string }> {
  const onDamaged = warningOf(environment.report)
  const planned = plan.jobs.flatMap((sets, index) => sets.map((set) => ({ set, job: `${index + 1} of ${plan.jobs.length}` })))
  // One listing, however many sets there are.
  const bySet = Map.groupBy(await snapshotKeys(store), setOf)
  const lost = new Set((await store.groups?.wholeness())?.lost)
  const run = { tag: planTag(plan.id), planned: new Date(plan.time), now: environment.now(), lost }
  const judged = await inParallel(planned, PARALLEL, async ({ set, job }) => {
    environment.signal.throwIfAborted()
    const { size, added, ...found } = await judgeSet(store, keys, set, bySet.get(set) ?? [], run, onDamaged)
    return { size, added, verdict: { set, job, ...found } }
  })
  const sum = (of: 'size' | 'added'): number => judged.reduce((total, one) => total + one[of], 0)
  return { store: store.name, sets: judged.map(({ verdict }) => verdict), size: sum('size'), added: sum('added') }
}

/** Asks the servers, if there are any, for databases that are not in the plan. That they do not answer is no failure of the backups. */
async function unplannedSets(
  { databases: { list, tunnel }, choice, plan, access: { ssh, timeout }, clientInstall }: VerdictInputs,
  environment: Environment,
): Promise<string[] | undefined> {
  if (list.length === 0) return undefined
  const { report, signal } = environment
  const planned = new Set(plan.jobs.flat())
  try {
    const settings = { tunnel, ssh, timeout, sizes: false, complete: false }
    const { chosen } = await findDatabases(list, choice, settings, { ...environment, clientInstall })
    const unplanned = chosen.map(({ server, name }) => ownSet(server, name)).filter((set) => !planned.has(set))
    for (const set of unplanned.slice(0, 10)) {
      report.warning(
        `the database of set ${set} is not in the plan: this run does not back it up`,
        marked`If the plan leaves it out on purpose, give ‹databases› as the plan has it. If it is new, the next run backs it up.`,
      )
    }
    return unplanned
  } catch (error) {
    signal.throwIfAborted()
    const hint = error instanceof LifeboatError ? error.hint : undefined
    report.warning(`whether there are databases that are not in the plan could not be found out: ${messageOf(error)}`, hint)
    return undefined
  }
}

import type { Environment } from '../../environment.ts'
import { warningOf } from '../../report/warnings.ts'
import { noSuchSet, snapshotKeys } from '../../repository/catalog.ts'
import { noneOfKey } from '../../repository/other-key.ts'
import { chunksOfStreams, storedBytes } from '../../repository/snapshot.ts'
import { Totals } from '../../repository/statistics.ts'
import { survey } from '../../repository/survey.ts'
import { withStore } from '../with-store.ts'
import type { StatsInputs } from './inputs.ts'
import type { StatsResult } from './result.ts'

type Growth = StatsResult['sets'][number]['growth'][number]

/**
 * The space that the snapshots of a store take, together and by set, and how it grew. With a key, only snapshots whose signature it can
 * check count.
 */
export function stats(inputs: StatsInputs, environment: Environment): Promise<StatsResult> {
  return withStore(inputs, environment, async (store, keys) => {
    const total = new Totals()
    const named = new Set<string>()
    const bySet = new Map<string, Totals>()
    const found = await survey(store, keys, {
      set: inputs.set,
      signal: environment.signal,
      onDamaged: warningOf(environment.report),
    }, async ({ snapshot: { header }, authentic }) => {
      if (keys && !authentic) {
        named.add(header.key)
        return undefined
      }
      const used = authentic?.keys.identity === undefined ? undefined : await chunksOfStreams(authentic)
      const sums = bySet.get(header.set) ?? new Totals()
      bySet.set(header.set, sums)
      for (const one of [total, sums]) one.add(header, used)
      const { set, time, size, added, chunks } = header
      return { set, time, size, added, stored: storedBytes(chunks) }
    })
    const { set } = inputs
    if (set !== undefined && found.length === 0 && (await snapshotKeys(store, set)).length === 0) throw await noSuchSet(store, set)
    if (keys && found.length > 0 && found.every((one) => one === undefined)) {
      throw noneOfKey(store, found.length, keys, [...named])
    }
    const counted = found.filter((one) => one !== undefined)
    const sets = [...Map.groupBy(counted, ({ set }) => set)].map(([set, snapshots]) => ({
      set,
      oldest: snapshots.at(-1)!.time,
      newest: snapshots[0]!.time,
      ...bySet.get(set)!.sum,
      growth: growthOf(snapshots, inputs.timeZone),
    }))
    // Backups use no chunks of other sets, so the same content in two sets saves nothing.
    const unique = sets.reduce((sum, one) => sum + one.unique, 0)
    return {
      store: store.name,
      total: { ...total.sum, unique },
      sets: sets.toSorted((a, b) => a.set.localeCompare(b.set)),
      others: found.length - counted.length,
    }
  })
}

/** As many days as a month has are shown one by one; more of them by month. */
const DAYS = 31

/**
 * Of each day or month, oldest first: how many snapshots, what they added, and what the last of them has and needs. `snapshots` are
 * newest first.
 */
export function growthOf(
  snapshots: readonly Pick<Growth & { time: string }, 'time' | 'size' | 'stored' | 'added'>[],
  timeZone: string,
): Growth[] {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const [newest, oldest] = [snapshots[0], snapshots.at(-1)].map((snapshot) => Date.parse(snapshot?.time ?? ''))
  const daily = newest! - oldest! < DAYS * 86_400_000
  const periods = Map.groupBy(snapshots, ({ time }) => format.format(new Date(time)).slice(0, daily ? 10 : 7))
  return [...periods].toReversed().map(([period, [last, ...earlier]]) => ({
    period,
    snapshots: 1 + earlier.length,
    size: last!.size,
    stored: last!.stored,
    added: [last!, ...earlier].reduce((sum, { added }) => sum + added, 0),
  }))
}

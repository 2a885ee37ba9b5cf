import { LifeboatError, messageOf } from '../../error.ts'
import { DamagedChunk } from '../../repository/reader.ts'
import { DamagedSnapshot, type SourceRecord, sourceSize } from '../../repository/snapshot.ts'
import { confirmedBy } from '../../sources/nouns.ts'
import { remarksOf } from '../../sources/remarks.ts'
import type { Drilled } from '../../sources/source-kind.ts'
import { BadSource, UnaskedCondition, UnmetCondition } from '../../sources/source.ts'
import { DamagedObject } from '../../stores/store.ts'
import type { SnapshotVerified } from './result.ts'

export interface CheckedSource {
  source: SourceRecord
  entries: number
  /** Of every chunk object it needs. */
  keys: ReadonlySet<string>
  problems: unknown[]
  /** Those of its problems that a drill met, after all that is stored of it was read and found good. */
  ofDrill?: readonly unknown[]
  versions?: Record<string, string>
  drill?: Drilled
}

/** Each source is hit by all damage to what it needs, also where that was found while another was read. */
export function outcomeOf(
  sources: readonly CheckedSource[],
  problems: readonly unknown[],
): Verdict & Pick<SnapshotVerified, 'problems' | 'damaged' | 'sources'> {
  const damage = damagedChunksIn([...sources, { problems }])
  const all = [...new Set([...sources.flatMap((checked) => checked.problems), ...problems])]
  // Two sources can have come upon the same chunk.
  const distinct = all.filter((problem) => !(problem instanceof DamagedChunk) || damage.get(problem.key) === problem)
  const ofDrills = new Set(sources.flatMap(({ ofDrill = [] }) => ofDrill))
  return {
    ...verdict(distinct, ofDrills),
    problems: [...new Set(distinct.map(told))],
    damaged: [...damage.keys()],
    sources: sources.map(({ source, entries, keys, problems: own, drill }) => {
      const found = [
        ...own.filter((problem) => !(problem instanceof DamagedChunk)),
        ...[...damage].filter(([key]) => keys.has(key)).map(([, error]) => error),
      ]
      return {
        name: source.name,
        kind: source.kind,
        size: sourceSize(source),
        entries,
        ...verdict(found, ofDrills),
        problems: found.map(told),
        ...(drill && { drill }),
        ...confirmedBy(source),
        ...remarksOf(source),
      }
    }),
  }
}

export function damagedChunksIn(found: readonly { problems: readonly unknown[] }[]): Map<string, DamagedChunk> {
  const errors = found.flatMap(({ problems }) => problems).filter((problem) => problem instanceof DamagedChunk)
  return new Map(errors.toReversed().map((error) => [error.key, error]))
}

export function damagedKeys(problems: readonly unknown[]): Set<string> {
  return new Set(problems.filter((problem) => problem instanceof DamagedChunk).map(({ key }) => key))
}

/** The result keeps messages only: one that is no damage of what is stored says what to do, too. */
function told(problem: unknown): string {
  const hint = problem instanceof LifeboatError && (problem instanceof BadSource || !isDamage(problem)) ? problem.hint : undefined
  if (hint === undefined) return messageOf(problem)
  return `${messageOf(problem)}${/[.?!]$/.test(messageOf(problem)) ? '' : '.'} ${hint}`
}

type Verdict = Pick<SnapshotVerified, 'result' | 'unmet' | 'failedDrill'>

/** A failed drill only if nothing else is wrong: with any other problem, something may not be whole, or was not read. */
function verdict(problems: readonly unknown[], ofDrills: ReadonlySet<unknown>): Verdict {
  if (problems.length === 0) return { result: 'verified' }
  const damage = problems.filter(isDamage)
  if (damage.length > 0) {
    const failedDrill = damage.every((problem) => problem instanceof BadSource) &&
      problems.every((problem) => ofDrills.has(problem) || problem instanceof UnaskedCondition)
    return { result: 'failed', ...(failedDrill && { failedDrill }) }
  }
  const conditions = problems.filter((problem) => problem instanceof UnmetCondition || problem instanceof UnaskedCondition)
  if (!conditions.some((problem) => problem instanceof UnmetCondition)) return { result: 'could not verify' }
  return { result: 'failed', unmet: conditions.length === problems.length ? 'all else verified' : 'not all else verified' }
}

/** Whether an error proves that a backup is not good; any other leaves that open. */
export function isDamage(error: unknown): boolean {
  return [DamagedChunk, DamagedSnapshot, DamagedObject, BadSource].some((kind) => error instanceof kind)
}

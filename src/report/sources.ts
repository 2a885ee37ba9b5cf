import type { RestoreResult } from '../commands/restore/result.ts'
import { formatCount } from './format.ts'

/** `2 databases and 1 volume`. */
export function formatSources(sources: readonly { kind: string }[]): string {
  const databases = sources.filter(({ kind }) => kind === 'postgres').length
  const counts = [...(databases > 0 ? [formatCount(databases, 'database')] : []), ...(databases < sources.length ? [formatCount(sources.length - databases, 'volume')] : [])]
  return counts.join(' and ')
}

/** What a restore was of. */
export function restoredName({ database, volume }: Pick<RestoreResult, 'database' | 'volume'>): string {
  return volume ?? database ?? ''
}

export function restorer({ volume }: Pick<RestoreResult, 'volume'>): string {
  return volume === undefined ? 'pg_restore' : 'tar'
}

/** What a restore that only checks leaves alone. */
export function untouched({ volume }: Pick<RestoreResult, 'volume'>): string {
  return volume === undefined ? 'no database' : 'no file'
}

/** What a restore into a bucket found there already, and what it deleted. */
export function bucketCounts({ unchanged, deleted }: Pick<RestoreResult, 'unchanged' | 'deleted'>): { unchanged: string; deleted: string } | undefined {
  if (unchanged === undefined || deleted === undefined) return undefined
  return { unchanged: formatCount(unchanged, 'object'), deleted: formatCount(deleted, 'object') }
}

/** The names of a snapshot's databases, and of its volumes. */
export function namesByKind(sources: readonly { name: string; kind: string }[]): { databases: string[]; volumes: string[] } {
  const names = (volume: boolean): string[] => sources.filter(({ kind }) => (kind !== 'postgres') === volume).map(({ name }) => name)
  return { databases: names(false), volumes: names(true) }
}

import { formatCount } from './format.ts'

/** `2 databases and 1 volume`. */
export function formatSources(sources: readonly { kind: string }[]): string {
  const databases = sources.filter(({ kind }) => kind === 'postgres').length
  const counts = [...(databases > 0 ? [formatCount(databases, 'database')] : []), ...(databases < sources.length ? [formatCount(sources.length - databases, 'volume')] : [])]
  return counts.join(' and ')
}

/** The names of a snapshot's databases, and of its volumes. */
export function namesByKind(sources: readonly { name: string; kind: string }[]): { databases: string[]; volumes: string[] } {
  const names = (volume: boolean): string[] => sources.filter(({ kind }) => (kind !== 'postgres') === volume).map(({ name }) => name)
  return { databases: names(false), volumes: names(true) }
}

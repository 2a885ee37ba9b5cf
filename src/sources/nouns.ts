import { formatCount } from '../report/format.ts'
import { kindIfKnown } from './known-kinds.ts'

/** Unknown kinds count as volumes. */
export function isDatabase({ kind }: { kind: string }): boolean {
  return kindIfKnown(kind)?.noun === 'database'
}

/** `2 databases and 1 volume`. */
export function formatSources(sources: readonly { kind: string }[]): string {
  const databases = sources.filter(isDatabase).length
  const volumes = sources.length - databases
  return [...(databases > 0 ? [formatCount(databases, 'database')] : []), ...(volumes > 0 ? [formatCount(volumes, 'volume')] : [])].join(
    ' and ',
  )
}

/** The names of a snapshot's databases, and of its volumes. */
export function namesByNoun(sources: readonly { name: string; kind: string }[]): { databases: string[]; volumes: string[] } {
  const names = (databases: boolean): string[] => sources.filter((source) => isDatabase(source) === databases).map(({ name }) => name)
  return { databases: names(true), volumes: names(false) }
}

/** `12 archive entries`, `3 files and folders`. */
export function formatEntries({ kind, entries }: { kind: string; entries: number }): string {
  return formatCount(entries, ...(kindIfKnown(kind)?.entryNoun ?? (['entry', 'entries'] as const)))
}

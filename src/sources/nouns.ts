import { formatCount } from '../report/format.ts'
import { kindIfKnown } from './known-kinds.ts'
import type { Remarks } from './source-kind.ts'

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

export interface Confirmed {
  /** The name that confirms a restore over what was backed up, where the source has another one: `app=postgres://…/shop`. */
  confirm?: string
}

/** For results with sources: the commands that are shown below them confirm a restore. */
export function confirmedBy({ name, kind, facts }: { name: string; kind: string; facts?: unknown }): Confirmed {
  const confirm = kindIfKnown(kind)?.confirm?.(facts)
  return confirm === undefined || confirm === name ? {} : { confirm }
}

/** The names of a snapshot's databases, and of its volumes; `confirm` of one database alone; `partial` if one of them lacks a part. */
export function namesByNoun(
  sources: readonly ({ name: string; kind: string } & Confirmed & Pick<Remarks, 'partial'>)[],
): { databases: string[]; volumes: string[]; partial?: true } & Confirmed {
  const [databases, volumes] = [sources.filter(isDatabase), sources.filter((source) => !isDatabase(source))]
  const confirm = databases.length === 1 ? databases[0]!.confirm : undefined
  return {
    databases: databases.map(({ name }) => name), volumes: volumes.map(({ name }) => name), ...(confirm !== undefined && { confirm }),
    ...(sources.some(({ partial }) => partial) && { partial: true as const }),
  }
}

/** `12 archive entries`, `3 files and folders`. */
export function formatEntries({ kind, entries }: { kind: string; entries: number }): string {
  return formatCount(entries, ...(kindIfKnown(kind)?.entryNoun ?? (['entry', 'entries'] as const)))
}

import { postgresFacts } from './postgres/facts.ts'
import type { SourceRecord } from '../repository/snapshot.ts'
import { volumeFacts } from './files/facts.ts'

/** What is to be known of a source by whoever relies on its backup; members are absent where there is nothing to say. */
export interface Remarks {
  /** What the backup lacks, or may lack, of the source. */
  partial?: string[]
  /** Warnings of the programs that read the source. */
  warnings?: string[]
}

const postgres = postgresFacts.pick({ globals: true, warnings: true, omitted: true }).strip()
const volume = volumeFacts.pick({ unreadable: true })

export function remarksOf({ kind, facts }: Pick<SourceRecord, 'kind'> & { facts: unknown }): Remarks {
  if (kind === 'postgres') {
    const { globals, warnings = [], omitted = [] } = postgres.safeParse(facts).data ?? {}
    const roles = globals && 'reason' in globals ? [`roles and tablespaces are not in it: ${globals.reason}`] : []
    return { ...listOf('partial', [...omitted.map((omission) => (omission.startsWith('-') ? `pg_dump ran with ${omission}` : omission)), ...roles]), ...listOf('warnings', warnings) }
  }
  const unreadable = volume.safeParse(facts).data?.unreadable ?? []
  return listOf('partial', unreadable.length > 0 ? [`files could not be read: ${unreadable.join(', ')}`] : [])
}

function listOf(name: keyof Remarks, texts: readonly string[]): Remarks {
  return texts.length > 0 ? { [name]: [...texts] } : {}
}

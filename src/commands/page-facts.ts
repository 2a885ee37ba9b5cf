import type { Environment } from '../environment.ts'
import { retentionText } from '../inputs/retention.ts'
import type { PageFacts, PageSnapshot } from '../report/page/facts.ts'
import type { RetentionPolicy } from '../repository/retention.ts'
import { isDatabase } from '../sources/nouns.ts'
import { VERSION } from '../version.ts'
import type { ListedSnapshot, ListResult } from './list/result.ts'

/** The facts beside the list. */
export interface Beside extends Pick<PageFacts, 'warnings' | 'copies' | 'run' | 'destination' | 'keyed' | 'timeZone'> {
  retention?: RetentionPolicy | undefined
  /** The user chose some of the snapshots. */
  chosen: boolean
}

/** The facts of a report from the result of `list`. */
export function pageFacts(
  listed: ListResult, { retention, chosen, warnings, ...beside }: Beside, { variables }: Pick<Environment, 'variables'>,
): PageFacts {
  const { store, snapshots, unsound, of, restorable, changes = [], leaving = [], missing } = listed
  const damaged = new Map(unsound.map(({ snapshot, why }) => [snapshot, why]))
  const { GITHUB_ACTION_REPOSITORY: action, GITHUB_ACTION_REF: reference } = variables
  return {
    ...beside, made: listed.listed, store, changes, leaving, action: action || 'OWNER/lifeboat', reference: reference || `v${VERSION}`,
    warnings: [...warnings, ...(missing ? [`The set ${missing.set} has no snapshots; there are ${missing.sets.join(', ')}.`] : [])],
    snapshots: snapshots.map((one) => onPage(one, damaged.get(one.id))),
    // In an empty store, any filter matches nothing.
    ...(chosen && !listed.empty && { chosen }), ...(missing && { elsewhere: true as const }), ...(of !== undefined && { of }),
    ...(restorable !== undefined && { restorable }),
    ...(retention && Object.keys(retention).length > 0 && { retention: retentionText(retention) }),
  }
}

function onPage({ sources, damage, ...one }: ListedSnapshot, found: string | undefined): PageSnapshot {
  const why = damage ?? found
  return {
    ...one, ...(why !== undefined && { damage: why }),
    ...(sources && {
      sources: sources.map(({ name, kind, size, confirm, partial }) => (
        { name, database: isDatabase({ kind }), size, ...(confirm !== undefined && { confirm }), ...(partial && { partial }) })),
    }),
  }
}

import { formatBytes, formatCount, formatSome } from '../report/format.ts'
import { code, table } from '../report/markdown.ts'
import { details } from '../report/summary-parts.ts'
import { idOf } from '../repository/catalog.ts'
import type { Store } from '../stores/store.ts'

/** A group of objects (an artifact), and how many snapshots are lost with it. */
export interface DependedOn {
  id: number
  name: string
  size: number
  snapshots: number
}

/** More rows than anyone reads. */
const MOST_ROWS = 20

/** Of a store whose objects lie in groups. */
export interface InArtifacts {
  /** Those that snapshots depend on, and how many are lost with each; first those that most depend on. */
  artifacts?: DependedOn[]
  /** Ids of snapshots that have lost an artifact which they need, newest first. */
  lost?: string[]
}

export const LOST_ARTIFACT = 'an artifact that it needs has expired or was deleted'

/** More names than anyone reads in a line. */
const MOST_NAMED = 5

export async function dependedOn({ groups }: Store): Promise<InArtifacts> {
  if (!groups) return {}
  const artifacts = (await groups.dependents()).map(({ id, name, size, snapshots }) => ({ id, name, size, snapshots: snapshots.length }))
  const { lost } = await groups.wholeness()
  return { artifacts, ...(lost.length > 0 && { lost: lost.map(idOf) }) }
}

/** Names the snapshots that are lost; nothing if none is. */
export function lostLines({ lost = [] }: InArtifacts): string[] {
  if (lost.length === 0) return []
  const [are, they] = lost.length === 1 ? ['snapshot is', 'it needs'] : ['snapshots are', 'they need']
  return [`${lost.length} ${are} lost, because an artifact that ${they} has expired or was deleted: ${formatSome(lost, MOST_NAMED)}.`]
}

/** A line about all of them. */
export function dependedOnLines(artifacts: readonly DependedOn[] | undefined): string[] {
  const [first] = artifacts ?? []
  if (!artifacts || !first) return []
  const size = formatBytes(artifacts.reduce((sum, one) => sum + one.size, 0))
  const most = `${first.name} (${first.id}) carries ${first.snapshots} snapshots, the most`
  return [`${formatCount(artifacts.length, 'artifact')}, ${size}: ${first.snapshots === 1 ? 'each carries 1 snapshot' : most}.`]
}

/** The line, and a table below it. */
export function dependedOnPart(artifacts: readonly DependedOn[] | undefined): string[] {
  const lines = dependedOnLines(artifacts)
  if (!artifacts || lines.length === 0) return []
  const shown = artifacts.slice(0, MOST_ROWS)
  const rows = shown.map(({ id, name, size, snapshots }) => [code(name), `${id}`, formatBytes(size), `${snapshots}`])
  const more = artifacts.length > MOST_ROWS ? `\n\nThe ${MOST_ROWS} that most snapshots depend on are shown.` : ''
  return [details(`Artifacts: ${lines[0]!}`, `${table(['Artifact', 'Id', 'Size', 'Snapshots lost with it'], rows, 3)}${more}`)]
}

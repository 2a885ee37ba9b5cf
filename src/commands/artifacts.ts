import { formatBytes, formatCount } from '../report/format.ts'
import { code, table } from '../report/markdown.ts'
import { details } from '../report/summary-parts.ts'
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

/** Nothing for a store whose objects do not lie in groups. First those that most snapshots depend on. */
export async function dependedOn(store: Store): Promise<{ artifacts?: DependedOn[] }> {
  const found = await store.groups?.dependents()
  return found ? { artifacts: found.map(({ id, name, size, snapshots }) => ({ id, name, size, snapshots: snapshots.length })) } : {}
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

import type { SelectedPart, StoredSource } from '../source-kind.ts'
import { archivedVolume, choose } from './choice.ts'
import { displayName } from './file-list.ts'

/** The files of a volume that match. Throws (status 2) if none does. */
export async function selectedFiles(stored: StoredSource, patterns: readonly string[]): Promise<SelectedPart | undefined> {
  const { wanted, entries } = await choose(archivedVolume(stored), patterns)
  return wanted && { entries, names: [...wanted].map((name) => displayName(name)) }
}

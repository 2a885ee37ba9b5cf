import { LifeboatError } from '../error.ts'
import { sourceKinds } from './all.ts'
import type { SourceKind } from './source-kind.ts'

/** The kind with this name in snapshots; undefined for one that this version does not know. */
export function kindIfKnown(recorded: string): SourceKind | undefined {
  return sourceKinds.find((kind) => kind.recorded === recorded)
}

/** The kind of a recorded source. Throws for one that this version does not know. */
export function kindOf({ name, kind }: { name: string; kind: string }): SourceKind {
  const known = kindIfKnown(kind)
  if (known) return known
  throw new LifeboatError(`the source ${name} is of the kind ${kind}, which this version of Lifeboat does not know`, {
    hint: 'Use the version that made the backup. Its streams are also restored by recover.sh in the store (RECOVERY.md).',
  })
}

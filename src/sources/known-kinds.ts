import { LifeboatError } from '../error.ts'
import { sourceKinds } from './all.ts'
import type { Location, SourceKind } from './source-kind.ts'

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

/** Reads where a database or a volume is. Null: no kind has such texts. Throws InvalidValue. */
export function parseLocation(noun: SourceKind['noun'], text: string): Location | null {
  for (const kind of sourceKinds) {
    const location = kind.noun === noun ? kind.parse(text) : null
    if (location) return location
  }
  return null
}

/** The forms of the texts that `parseLocation` reads. */
export function locationForms(noun: SourceKind['noun']): string[] {
  return sourceKinds.filter((kind) => kind.noun === noun).map(({ form }) => form)
}

/** The patterns of all kinds of a noun, as a sentence of help has them. */
export function locationPatterns(noun: SourceKind['noun']): string {
  return alternatives(sourceKinds.filter((kind) => kind.noun === noun).map(({ pattern }) => pattern))
}

/** The forms of all kinds of a noun, read after "expected". */
export function locationExpected(noun: SourceKind['noun']): string {
  return alternatives(locationForms(noun))
}

function alternatives(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)!}`
}

/** Every secret part of the text of a location, well-formed or not. */
export function locationSecrets(noun: SourceKind['noun'], text: string): string[] {
  return sourceKinds.filter((kind) => kind.noun === noun).flatMap((kind) => kind.secrets(text))
}

/** The kind that a location was read by. */
export function kindAt({ kind }: Location): SourceKind {
  return sourceKinds.find(({ name }) => name === kind)!
}

/** Sources of one kind together, each kind in the order of its first source. */
export function groupedByKind<G extends { location: Location }>(given: readonly G[]): [SourceKind, G[]][] {
  return [...Map.groupBy(given, ({ location }) => kindAt(location))]
}

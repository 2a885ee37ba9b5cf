import type { Variables } from '../environment.ts'
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
  return firstOf(kindsOf(noun), (kind) => kind.parse(text)) ?? null
}

/** Whether a location follows one of the separators in a text, which is then several in one line. */
export function holdsSeveral(noun: SourceKind['noun'], text: string, separators: RegExp): boolean {
  return [...text.matchAll(separators)].some((match) => isLocation(noun, text.slice(match.index + match[0].length)))
}

/** Also if it is malformed: a kind throws only for texts of its own. */
function isLocation(noun: SourceKind['noun'], text: string): boolean {
  try {
    return parseLocation(noun, text) !== null
  } catch {
    return true
  }
}

/** The patterns of all kinds of a noun, as a sentence of help has them. */
export function locationPatterns(noun: SourceKind['noun']): string {
  return alternatives(kindsOf(noun).map(({ pattern }) => pattern))
}

/** The forms of all kinds of a noun, read after "expected". */
export function locationExpected(noun: SourceKind['noun']): string {
  return alternatives(kindsOf(noun).map(({ form }) => form))
}

/** The forms of all kinds of a noun, read after the text that has none of them: `neither …, nor …`. */
export function neitherForm(noun: SourceKind['noun']): string {
  const forms = kindsOf(noun).map(({ form }) => form)
  return `${forms.length === 1 ? 'not' : 'neither'} ${forms.join(', nor ')}`
}

/** The database that environment variables name, as its text; undefined if there is none. */
export function databaseFromVariables(variables: Variables): string | undefined {
  return firstOf(kindsOf('database'), (kind) => kind.fromVariables?.(variables))
}

/** The same, complete with the password, for another machine. */
export function completeDatabaseFromVariables(variables: Variables): string | undefined {
  return firstOf(kindsOf('database'), (kind) => kind.completeFromVariables?.(variables))
}

/** How databases show in files of other programs. */
export function tracesOfDatabases(): NonNullable<SourceKind['traces']>[] {
  return kindsOf('database').flatMap(({ traces }) => traces ?? [])
}

function alternatives(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)!}`
}

/** Every secret part of the text of a location, well-formed or not. */
export function locationSecrets(noun: SourceKind['noun'], text: string): string[] {
  return kindsOf(noun).flatMap((kind) => kind.secrets(text))
}

function kindsOf(noun: SourceKind['noun']): SourceKind[] {
  return sourceKinds.filter((kind) => kind.noun === noun)
}

/** The first answer that a kind gives; those after it are not asked. */
function firstOf<T>(kinds: readonly SourceKind[], ask: (kind: SourceKind) => T | null | undefined): T | undefined {
  for (const kind of kinds) {
    const answer = ask(kind)
    if (answer !== null && answer !== undefined) return answer
  }
  return undefined
}

/** The kind that a location was read by. */
export function kindAt({ kind }: Location): SourceKind {
  return sourceKinds.find(({ name }) => name === kind)!
}

/** Sources of one kind together, each kind in the order of its first source. */
export function groupedByKind<G extends { location: Location }>(given: readonly G[]): [SourceKind, G[]][] {
  return [...Map.groupBy(given, ({ location }) => kindAt(location))]
}

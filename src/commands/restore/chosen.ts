import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { findSnapshot } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import type { AuthenticSnapshot, SourceRecord } from '../../repository/snapshot.ts'
import { isDatabase } from '../../sources/nouns.ts'
import type { SourceKind } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import { lookingAs } from '../with-store.ts'
import type { RestoreInputs } from './inputs.ts'

/** Anyone who can write to a store can add snapshots that are passed over. */
const MOST_NAMED = 20

export type Noun = SourceKind['noun']

/** The snapshot, and why newer ones were passed over. */
export async function wantedSnapshot(
  { set, snapshot: choice }: Pick<RestoreInputs, 'set' | 'snapshot'>, store: Store, keys: Keys, environment: Environment,
): Promise<{ snapshot: AuthenticSnapshot; passedOver: { passedOver?: string[] } }> {
  const passedOver: string[] = []
  const looking = lookingAs(environment)
  const onPassedOver: typeof looking.onPassedOver = (error, found) => {
    if (choice.kind !== 'id') passedOver.push(error.message)
    looking.onPassedOver(error, found)
  }
  const snapshot = await findSnapshot(store, keys, set, choice, { ...looking, onPassedOver })
  return { snapshot, passedOver: passedOver.length > 0 ? { passedOver: passedOver.slice(0, MOST_NAMED) } : {} }
}

/** The source with this name, or the only one of the noun. Throws (status 2) if there is none, or several. */
export function choose(noun: Noun, name: string | undefined, sources: readonly SourceRecord[], id: string): SourceRecord {
  const candidates = sources.filter((source) => isDatabase(source) === (noun === 'database'))
  const names = candidates.map((source) => source.name).join(', ')
  if (name === undefined && candidates.length > 1) {
    throw new LifeboatError(
      `snapshot ${id} has several ${noun}s: ${names}`,
      { hint: `Name one of them with ${noun === 'database' ? marked`‹database›` : marked`‹volume›`}.`, status: 2 },
    )
  }
  const source = candidates.find((candidate) => name === undefined || candidate.name === name)
  if (source) return source
  const hint = names === ''
    ? withoutNoun(noun, sources.map((source) => source.name))
    : `${noun === 'database' ? 'Databases' : 'Volumes'} in this snapshot: ${names}.`
  throw new LifeboatError(`snapshot ${id} has no ${noun}${name === undefined ? '' : ` ${name}`}`, {
    hint: name === undefined ? hint : `${hint} ${OLDER}`, status: 2,
  })
}

/** For a source that a snapshot does not have. */
export const OLDER = marked`If an older snapshot has it, give that as ‹snapshot›: ‹lifeboat list› names the sources of each.`

/** The hint for a snapshot without a source of this noun. `names`: of its sources, all of the other noun. */
function withoutNoun(noun: Noun, names: readonly string[]): string {
  const [other, input, way] = noun === 'volume'
    ? ['database', marked`‹target›`, marked`give the URL of a database in place of ‹target›`]
    : ['volume', marked`‹database-url›`, marked`give a folder, Docker volume or bucket as ‹target›`]
  const only = `this snapshot has only the ${other}${names.length === 1 ? '' : 's'} ${names.join(', ')}`
  return `${input} is for ${noun}s; ${only}. To restore ${names.length === 1 ? 'it' : 'one of them'}, ${way}.`
}

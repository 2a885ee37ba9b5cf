import { type Card, readCards } from '../../repository/card.ts'
import type { Keys } from '../../repository/keys.ts'
import { tagsOf } from '../../repository/labels.ts'
import { isCarried, type Verdict, verdictOf } from '../../repository/proofs.ts'
import { openDescription, type Snapshot, sourceSize } from '../../repository/snapshot.ts'
import { survey, type Surveyed, type SurveyOptions } from '../../repository/survey.ts'
import { confirmedBy } from '../../sources/nouns.ts'
import { remarksOf } from '../../sources/remarks.ts'
import type { SizedSource } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import { expiries, type KnownFacts, pinOf, standing, sumsOf, visiblePart } from './facts.ts'
import { LOST_ARTIFACT } from '../artifacts.ts'
import type { ListedSnapshot } from './result.ts'

/** The facts, and the ids of snapshots that have lost a group of objects which they need. */
type Known = KnownFacts & { lost: ReadonlySet<string> }

/** Told of the content of each snapshot that the key can decrypt. */
type OnContent = (header: { id: string; set: string; time: string }, sources: readonly SizedSource[]) => void

/** The snapshots whose ids are wanted, newest first. `onDamaged`: told of those that cannot be read, and are left out. */
export async function listedSnapshots(
  store: Store,
  keys: Keys | undefined,
  { set, wanted, signal, onDamaged }: Omit<SurveyOptions, 'wanted'> & { wanted: (id: string) => boolean },
  known: Known,
  onContent: OnContent = () => undefined,
): Promise<ListedSnapshot[]> {
  const expires = await expiries(store)
  const cards = await cardsIn(store, keys, set, known)
  const read = await survey(
    store,
    keys,
    { set, wanted: (id, key) => wanted(id) && !cards.has(key), signal, onDamaged },
    async (surveyed) => listed(await describe(surveyed, expires, onContent), surveyed.snapshot, known, keys),
  )
  const described = [...cards.values()]
    .filter(({ header }) => wanted(header.id))
    .map((card) => listed(withDescription(card, true, expires, onContent), undefined, known, keys))
  return [...read, ...described].toSorted((a, b) => (a.id < b.id ? 1 : -1))
}

/** The cards of snapshots, which need not be read then: those that are lost, or need no object that is damaged. */
async function cardsIn(
  store: Store,
  keys: Keys | undefined,
  set: string | undefined,
  { damaged, lost }: Known,
): Promise<ReadonlyMap<string, Card>> {
  const hit = (await store.groups?.needing(damaged)) ?? new Set()
  const cards = [...(await readCards(store, keys))].filter(([, { header }]) => set === undefined || header.set === set)
  return new Map(cards.filter(([key, { header }]) => lost.has(header.id) || !hit.has(key)))
}

/** A snapshot without what other objects tell of it. */
type Described = Omit<ListedSnapshot, 'pinned' | 'proofs' | 'verified' | 'damage'>

async function describe(
  { snapshot, authentic }: Surveyed, expires: ReadonlyMap<string, Date>, onContent: OnContent,
): Promise<Described> {
  const description = authentic?.keys.identity === undefined ? undefined : await openDescription(authentic)
  return withDescription({ ...sumsOf(snapshot), description }, authentic !== undefined, expires, onContent)
}

function withDescription(
  card: Card, authentic: boolean, expires: ReadonlyMap<string, Date>, onContent: OnContent,
): Described {
  const { description, header } = card
  if (description) onContent(header, description.sources)
  return {
    ...visiblePart(card, expires),
    authentic,
    ...(description && {
      description: description.description,
      run: description.run?.url ?? null,
      sources: description.sources.map((source) => ({
        name: source.name,
        kind: source.kind,
        size: sourceSize(source),
        ...confirmedBy(source),
        ...remarksOf(source),
      })),
    }),
  }
}

function listed(
  described: Described, snapshot: Snapshot | undefined, { labels, proofs, damaged, lost }: Known, keys: Keys | undefined,
): ListedSnapshot {
  const [own, found] = [labels.get(described.id), proofs.get(described.id) ?? []]
  const newest = [...Map.groupBy(found.filter((proof) => !isCarried(proof)), ({ level }) => level).values()].flatMap(newestOf)
  return {
    ...described,
    tags: tagsOf(described, own),
    pinned: pinOf(own, described.authentic, keys),
    ...(lost.has(described.id) ? { verified: false, damage: LOST_ARTIFACT } : standing(snapshot, found, damaged)),
    proofs: newest.map(({ level, result, time }) => ({ level, result, time })).toSorted((a, b) => b.time.localeCompare(a.time)),
  }
}

/** Of proofs of one level, newest first: the newest, and, if it has no result, the newest that has one. */
function newestOf([newest, ...others]: readonly Verdict[]): Verdict[] {
  const result = newest?.result === 'could not verify' ? verdictOf(others) : undefined
  return [newest, result].filter((proof) => proof !== undefined)
}

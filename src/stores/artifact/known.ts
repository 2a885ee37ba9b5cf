import type { Held, Listed } from './catalog.ts'
import type { Holding } from './holdings.ts'
import { type Indexed, markOfKey } from './index-file.ts'

/** An artifact, as far as it is known: from the index of a later one, or because it was looked into. */
export interface Known extends Pick<Indexed, 'set' | 'needs'> {
  artifact: Listed
  /** Key and bytes of every object but chunks. */
  objects: ReadonlyMap<string, number>
  marks: ReadonlySet<string>
  /** By the key of a snapshot, the text that describes it. */
  cards: Map<string, string>
  /** Its content, once it was looked into. */
  held: Held | undefined
  opening?: Promise<Held | undefined>
}

/** An artifact by the entry of an index; undefined unless GitHub lists the same one. */
export function knownFrom({ id, name, run, size, set, objects, marks, needs, cards }: Indexed, artifact: Listed): Known | undefined {
  const isIt = artifact.id === id && artifact.name === name && artifact.size === size && (artifact.run ?? null) === run
  if (!isIt) return undefined
  return { artifact, set, needs, objects: new Map(objects), marks: new Set(marks), cards: new Map(Object.entries(cards)), held: undefined }
}

export function knownAs(held: Held, cards: ReadonlyMap<string, string> = new Map()): Known {
  const { artifact, set, entries, needs } = held
  const marks = new Set<string>()
  const objects = new Map<string, number>()
  for (const [key, { size }] of entries) {
    const mark = markOfKey(key)
    if (mark === undefined) objects.set(key, size)
    else marks.add(mark)
  }
  const shortened = needs.map((need): Indexed['needs'][number] => {
    const ofNeed = new Set<string>()
    const others: [string, number][] = []
    for (const [key, size] of need.objects) {
      const mark = markOfKey(key)
      if (mark === undefined) others.push([key, size])
      else ofNeed.add(mark)
    }
    return { artifact: need.artifact, marks: [...ofNeed], objects: others }
  })
  return { artifact, set, objects, marks, needs: shortened, cards: new Map(cards), held }
}

/** The entry of an index. */
export function indexed({ artifact: { id, name, run, size }, set, objects, marks, needs, cards }: Known): Indexed {
  return { id, name, run: run ?? null, size, set, objects: [...objects], marks: [...marks], needs, cards: Object.fromEntries(cards) }
}

/** The artifact as decisions see it. Its chunks stand for one object, unless it was looked into: whoever needs some of them needs all. */
export function holdingOf({ artifact, set, objects, needs, held }: Known, there: ReadonlySet<number>): Holding {
  const { id, name, size, created } = artifact
  const own = held ? [...held.entries.keys()] : objects.keys()
  const needed = needs.map((need): Holding['needs'][number] => {
    const exact = there.has(need.artifact) ? undefined : held?.needs.find(({ artifact }) => artifact === need.artifact)?.objects
    const chunks: [string, number][] = need.marks.length > 0 ? [[chunksOf(need.artifact), 0]] : []
    return { artifact: need.artifact, name: '', run: null, expires: null, objects: exact ?? [...need.objects, ...chunks] }
  })
  return { id, name, size, set, created, objects: new Set([...own, chunksOf(id)]), needs: needed }
}

/** No key of an object. */
function chunksOf(id: number): string {
  return `chunks of artifact ${id}`
}

/**
 * The artifacts that have to be looked into before it can be said what is lost: one that needs chunks of an artifact that is gone, and
 * others that may have the same chunks, since a copy has put them again.
 */
export function inDoubt(known: readonly Known[], there: ReadonlySet<number>): Known[] {
  const doubtful = new Set<Known>()
  for (const one of known) {
    const lost = new Set(one.needs.filter(({ artifact }) => !there.has(artifact)).flatMap(({ marks }) => marks))
    if (lost.size === 0) continue
    const others = known.filter((other) => other !== one && [...lost].some((mark) => other.marks.has(mark)))
    if (others.length > 0) for (const each of [one, ...others]) doubtful.add(each)
  }
  return [...doubtful].filter(({ held }) => !held)
}

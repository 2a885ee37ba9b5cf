import type { Held, Listed } from './catalog.ts'
import type { Holding } from './holdings.ts'
import { type Indexed, markOfKey } from './index-file.ts'

/** An artifact, as far as it is known: from the index of a later one, or because it was looked into. */
export interface Known extends Pick<Indexed, 'set' | 'needs' | 'chunks'> {
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
export function knownFrom(entry: Indexed, artifact: Listed): Known | undefined {
  const { id, name, run, size, set, objects, marks, chunks, needs, cards } = entry
  const isIt = artifact.id === id && artifact.name === name && artifact.size === size && (artifact.run ?? null) === run
  if (!isIt) return undefined
  const described = { objects: new Map(objects), marks: new Set(marks), cards: new Map(Object.entries(cards)) }
  return { artifact, set, chunks, needs, ...described, held: undefined }
}

export function knownAs(held: Held, cards: ReadonlyMap<string, string> = new Map()): Known {
  const { artifact, set, entries, needs } = held
  const own = told([...entries].map(([key, { size }]) => [key, size]))
  const needed = needs.map((need): Indexed['needs'][number] => ({ artifact: need.artifact, ...told(need.objects) }))
  return { artifact, set, ...own, objects: new Map(own.objects), marks: new Set(own.marks), needs: needed, cards: new Map(cards), held }
}

/** Keys and bytes of objects, as an index tells of them: of chunks their number, and their marks. */
function told(all: readonly [key: string, size: number][]): Pick<Indexed, 'objects' | 'marks' | 'chunks'> {
  const objects = all.filter(([key]) => markOfKey(key) === undefined)
  const marks = new Set(all.flatMap(([key]) => markOfKey(key) ?? []))
  return { objects, marks: [...marks], chunks: all.length - objects.length }
}

/** The entry of an index. */
export function indexed({ artifact: { id, name, run, size }, set, objects, marks, chunks, needs, cards }: Known): Indexed {
  const described = { objects: [...objects], marks: [...marks], chunks, needs, cards: Object.fromEntries(cards) }
  return { id, name, run: run ?? null, size, set, ...described }
}

/** By id, the chunks in artifacts. */
export type ChunksById = ReadonlyMap<number, ReadonlySet<string>>

/**
 * The chunks in those artifacts of which it is known: they were looked into, or one that was needs as many chunks of them as they have.
 * `gone`: parts that an index tells of, and that may not be there any more.
 */
export function chunksById(known: readonly Known[], gone: ReadonlyMap<number, Indexed>): ChunksById {
  const numbers = new Map([...gone].map(([id, { chunks }]) => [id, chunks]))
  for (const { artifact, chunks } of known) numbers.set(artifact.id, chunks)
  const found = new Map<number, ReadonlySet<string>>()
  for (const { artifact, held } of known) {
    for (const { artifact: id, objects } of held?.needs ?? []) {
      const chunks = chunksAmong(objects.map(([key]) => key))
      if (chunks.size === numbers.get(id)) found.set(id, chunks)
    }
    if (held) found.set(artifact.id, chunksAmong(held.entries.keys()))
  }
  return found
}

function chunksAmong(keys: Iterable<string>): Set<string> {
  return new Set([...keys].filter((key) => markOfKey(key) !== undefined))
}

/** Where to look so that the chunks of `unknown` are known: into one that needs all chunks of several of them, or into these themselves. */
export function telling(unknown: readonly Known[], known: readonly Known[]): readonly Known[] {
  const numbers = new Map(unknown.map(({ artifact, chunks }) => [artifact.id, chunks]))
  const tells = ({ artifact, needs }: Known): number =>
    needs.filter((need) => need.chunks === numbers.get(need.artifact)).length + (numbers.has(artifact.id) ? 1 : 0)
  const [most] = known.filter(({ held }) => !held).toSorted((a, b) => tells(b) - tells(a))
  return most && tells(most) > 1 ? [most] : unknown
}

/** The artifact as decisions see it. Chunks that are not known stand for one object: whoever needs some of them needs all. */
export function holdingOf({ artifact, set, objects, needs, held }: Known, there: ReadonlySet<number>, chunks: ChunksById): Holding {
  const { id, name, size, created } = artifact
  const needed = needs.map((need): Holding['needs'][number] => {
    const exact = there.has(need.artifact) ? undefined : held?.needs.find(({ artifact }) => artifact === need.artifact)?.objects
    const some: [string, number][] = need.marks.length > 0 ? [[chunksOf(need.artifact), 0]] : []
    return { artifact: need.artifact, name: '', run: null, expires: null, objects: exact ?? [...need.objects, ...some] }
  })
  return { id, name, size, set, created, objects: new Set([...objects.keys(), ...(chunks.get(id) ?? []), chunksOf(id)]), needs: needed }
}

/** No key of an object. */
function chunksOf(id: number): string {
  return `chunks of artifact ${id}`
}

/**
 * The artifacts to look into next before it can be said what is lost: where chunks of an artifact that is gone are needed, and others may
 * have the same, since a copy has put them again. Empty once it can be said.
 */
export function inDoubt(known: readonly Known[], gone: ReadonlyMap<number, Indexed>, chunks: ChunksById): Known[] {
  const there = new Set(known.map(({ artifact }) => artifact.id))
  const lost = new Set(known.flatMap(({ needs }) => needs.map(({ artifact }) => artifact)).filter((id) => !there.has(id)))
  return [...new Set([...lost].flatMap((id) => inDoubtAbout(id, known, gone.get(id), chunks)))].filter(({ held }) => !held)
}

function inDoubtAbout(lost: number, known: readonly Known[], entry: Indexed | undefined, chunks: ChunksById): readonly Known[] {
  const needOf = ({ needs }: Known): Indexed['needs'][number] | undefined => needs.find(({ artifact }) => artifact === lost)
  const needing = known.filter((one) => needOf(one))
  const marks = new Set(needing.flatMap((one) => needOf(one)!.marks))
  // One alone does not need anything that it has itself.
  const others = known.filter((one) => share(marks, one.marks) && needing.some((other) => other !== one))
  const unknown = others.filter(({ artifact }) => !chunks.has(artifact.id))
  if (unknown.length > 0) return telling(unknown, known)
  if (others.length === 0) return []
  const was = chunks.get(lost)
  // All that are in doubt need chunks that it had: if no other has any of these, all are lost.
  if (was) return others.some(({ artifact }) => share(was, chunks.get(artifact.id)!)) ? needing : []
  const all = needing.find((one) => entry && needOf(one)!.chunks === entry.chunks)
  return all ? [all] : needing
}

function share(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...some].some((one) => others.has(one))
}

import * as fc from 'fast-check'
import { decodeAnchors, encodeAnchors, SimilarityIndex } from '../../src/repository/similarity.ts'

/** The slow twin: for each anchor its owners in the order they were added; of more than 8 the last 9 count, and only if no other anchors tell. */
class PlainIndex {
  readonly #owners = new Map<number, number[]>()

  add(anchors: Iterable<number>, owner: number): void {
    for (const anchor of anchors) this.#owners.set(anchor, [...(this.#owners.get(anchor) ?? []), owner])
  }

  mostSimilar(anchors: Iterable<number>): number | undefined {
    const sought = [...anchors]
    const owners = sought.map((anchor) => this.#owners.get(anchor) ?? [])
    const few = owners.filter(({ length }) => length <= 8)
    const many = owners.filter(({ length }) => length > 8).map((list) => list.slice(-9))
    return mostOf(few, sought.length / 4) ?? mostOf(many, (sought.length * 3) / 4)
  }
}

function mostOf(lists: readonly (readonly number[])[], least: number): number | undefined {
  const counts = new Map<number, number>()
  for (const owner of lists.flat()) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  const [best] = [...counts].toSorted(([owner, count], [otherOwner, otherCount]) => otherCount - count || otherOwner - owner)
  return best && best[1] >= least ? best[0] : undefined
}

/** Few distinct values, many of which fall into the same of the index's lists: they have the same low 16 bits. */
const anchor = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }).map((high) => high * 65536 + 7), fc.integer({ min: 0, max: 0xffffffff }))
const anchors = fc.uniqueArray(anchor, { maxLength: 64 }).map((values) => Uint32Array.from(values).toSorted())

test('the chunk found is the one its slow twin finds', () => {
  fc.assert(
    fc.property(fc.array(anchors, { maxLength: 120 }), fc.array(anchors, { maxLength: 20 }), (added, sought) => {
      const index = new SimilarityIndex<number>()
      const plain = new PlainIndex()
      for (const [owner, values] of added.entries()) {
        index.add(values, owner)
        plain.add(values, owner)
      }
      for (const values of [...added, ...sought]) expect(index.mostSimilar(values)).toBe(plain.mostSimilar(values))
    }),
    { numRuns: 100 },
  )
})

/** 24 anchors; multiplication by an odd number is one to one, so all differ. */
const anchorsOf = (owner: number) => Uint32Array.from({ length: 24 }, (_, place) => Math.imul(owner * 24 + place, 0x9e3779b1) >>> 0)

test('an index that has grown many times over finds each of its chunks again', () => {
  const index = new SimilarityIndex<number>()
  for (let owner = 0; owner < 5000; owner++) index.add(anchorsOf(owner), owner)
  for (let owner = 0; owner < 5000; owner += 7) expect(index.mostSimilar(anchorsOf(owner))).toBe(owner)
})

test('an anchor that many chunks share says nothing beside others, however many they are; alone, the latest that has it is the most similar', () => {
  const index = new SimilarityIndex<number>()
  for (let owner = 0; owner < 8; owner++) index.add(Uint32Array.of(5), owner)
  expect(index.mostSimilar(Uint32Array.of(5))).toBe(7)
  index.add(Uint32Array.of(5, 6), 8)
  for (let owner = 9; owner < 20_000; owner++) index.add(Uint32Array.of(5), owner)
  expect(index.mostSimilar(Uint32Array.of(5, 6))).toBe(8)
  expect(index.mostSimilar(Uint32Array.of(5))).toBe(19_999)
  expect(index.mostSimilar(Uint32Array.of(5, 7))).toBeUndefined()
})

test('a chunk without anchors is similar to none', () => {
  const index = new SimilarityIndex<number>()
  index.add(new Uint32Array(0), 1)
  index.add(Uint32Array.of(1, 2), 2)
  expect(index.mostSimilar(new Uint32Array(0))).toBeUndefined()
})

test('below a quarter of shared anchors nothing is similar', () => {
  const index = new SimilarityIndex<string>()
  index.add(Uint32Array.of(1, 2, 3, 4), 'one')
  expect(index.mostSimilar(Uint32Array.of(1, 12, 13, 14))).toBe('one')
  expect(index.mostSimilar(Uint32Array.of(1, 12, 13, 14, 15))).toBeUndefined()
})

test('anchors come back from their text, which is base64 of little-endian words', () => {
  fc.assert(fc.property(anchors, (values) => expect(decodeAnchors(encodeAnchors(values))).toEqual(values)))
  expect(encodeAnchors(Uint32Array.of(1, 0xfffefdfc))).toBe('AQAAAPz9/v8=')
  expect(decodeAnchors('')).toHaveLength(0)
})

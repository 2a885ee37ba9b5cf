import { randomBytes } from 'node:crypto'
import { References } from '../../src/repository/references.ts'

/** Of 64 bits, in two halves: whole ones (BigInt) would take half a minute. */
class Word {
  high = 0
  low = 0

  times(high: number, low: number): void {
    const [a, b, c, d] = [this.low & 0xffff, this.low >>> 16, low & 0xffff, low >>> 16]
    const middle = a * d + b * c + ((a * c) >>> 16)
    this.high = (b * d + Math.floor(middle / 0x10000) + Math.imul(this.low, high) + Math.imul(this.high, low)) >>> 0
    this.low = ((middle << 16) | (Math.imul(a, c) & 0xffff)) >>> 0
  }

  /** The reverse of `word ^= word >> bits`. */
  unshift(bits: number): void {
    const { high, low } = this
    for (let known = bits; known < 64; known += bits) {
      this.low = (low ^ ((this.low >>> bits) | (this.high << (32 - bits)))) >>> 0
      this.high = (high ^ (this.high >>> bits)) >>> 0
    }
  }
}

/** The number that multiplied with an odd one is 1, modulo 2^64, in two halves. */
function inverse(odd: bigint): [number, number] {
  let found = odd
  for (let round = 0; round < 6; round++) found = BigInt.asUintN(64, found * (2n - odd * found))
  return [Number(found >> 32n), Number(found & 0xffff_ffffn)]
}

const [BY_65, BY_21, BY_SHIFT] = [inverse(65n), inverse(21n), inverse((1n << 18n) - 1n)]
const digits = (count: number): string => randomBytes(count / 2 + 1).toString('hex').slice(0, count)

/** Names of chunks whose first 52 bits are numbers for which V8's hash of numbers (ComputeLongHash), which has no seed, ends in 30 bits that are 0. */
function chosen(count: number): string[] {
  const names: string[] = []
  const word = new Word()
  for (let upper = 1; names.length < count; upper++) {
    word.high = Math.floor(upper / 4)
    word.low = (upper << 30) >>> 0
    word.unshift(22)
    word.times(...BY_65)
    word.unshift(11)
    word.times(...BY_21)
    word.unshift(31)
    word.low = (word.low + 1) >>> 0
    if (word.low === 0) word.high = (word.high + 1) >>> 0
    word.times(...BY_SHIFT)
    // The bits of a double that is a whole number from 2^51 to 2^52.
    if (word.high >>> 20 !== 0x432 || (word.low & 1) === 1) continue
    const number = 2 ** 51 + (word.high & 0xfffff) * 2 ** 31 + (word.low >>> 1)
    names.push(`${number.toString(16).padStart(13, '0')}${digits(51)}-00000000`)
  }
  return names
}

/** CPU time, the least of several. */
function secondsFor(names: readonly string[]): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage()
    const references = new References(new Date())
    references.add({ key: 'a', id: 'a', set: 'a', time: new Date(), size: 1, authentic: false }, names)
    for (let round = 0; round < 40; round++) for (const name of names) if (!references.has(name)) throw new Error(`${name} is not there`)
    expect(references.size).toBe(names.length)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1e6
  })
  return Math.min(...times)
}

test('chunk ids that were chosen to collide in a table of numbers cost no more than others', () => {
  const ids = chosen(500)
  const random = ids.map(() => `${digits(64)}-00000000`)
  secondsFor(random)
  const ratio = secondsFor(ids) / secondsFor(random)
  expect(ratio).toBeLessThan(3)
})

test('a chunk that a snapshot lists is found, by its id and mark', () => {
  const references = new References(new Date())
  const id = digits(64)
  references.add({ key: 'a', id: 'a', set: 'a', time: new Date(), size: 1, authentic: true }, [`${id}-0123abcd`, `${id}-0123abce`])
  expect([references.size, references.has(`${id}-0123abcd`), references.has(`${id}-0123abce`), references.has(`${id}-1123abcd`)]).toEqual([2, true, true, false])
  expect(references.without(new Set(['a']))(`${id}-0123abcd`)).toBe(false)
  expect(references.without(new Set())(`${id}-0123abcd`)).toBe(true)
})

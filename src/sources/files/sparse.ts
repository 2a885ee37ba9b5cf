/** Records of an extended header, in their order. */
export type Records = readonly (readonly [keyword: string, value: string])[]

/**
 * Whether tar reads as many bytes of content for a file with these records as it has `stored`: tar goes by the map of a sparse file, not by
 * that size. Only maps of GNU tar's version 0.0 are accepted, complete and in its order. True for a file without a map.
 */
export function isStoredAs(records: Records, stored: number): boolean {
  const [size, count, ...map] = records.filter(([keyword]) => keyword.startsWith('GNU.'))
  if (!size) return true
  if (size[0] !== 'GNU.sparse.size' || count?.[0] !== 'GNU.sparse.numblocks' || map.length === 0 || count[1] !== String(map.length / 2))
    return false
  let blocks = 0
  for (const [index, [keyword, value]] of map.entries()) {
    if (keyword !== (index % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes') || !/^\d{1,15}$/.test(value)) return false
    if (index % 2 === 1) blocks += Math.ceil(Number(value) / 512)
  }
  return blocks === Math.ceil(stored / 512)
}

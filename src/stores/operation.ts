/** A request to a store. */
export type Operation = 'put' | 'get' | 'head' | 'list' | 'delete'

/** An operation in words, read after "cannot". `store`: the name of the store. */
export function operationText(operation: Operation, key: string, store: string): string {
  if (operation === 'list') return `list ${store}`
  const words: Record<typeof operation, [verb: string, place: string]> = {
    put: ['put', 'into'],
    get: ['get', 'from'],
    head: ['look at', 'in'],
    delete: ['delete', 'from'],
  }
  const [verb, place] = words[operation]
  return `${verb} ${key} ${place} ${store}`
}

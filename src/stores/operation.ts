/** A request to a store. */
export type Operation = 'put' | 'get' | 'head' | 'list' | 'delete'

/** An operation in words, read after "cannot". `store`: the name of the store. */
export function operationText(operation: Operation, key: string, store: string): string {
  if (operation === 'list') return `list ${store}`
  return `${operation === 'head' ? 'look at' : operation} ${key} ${operation === 'put' ? 'into' : 'in'} ${store}`
}

import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'

/** Of a store that would be made where its disk or share is perhaps not mounted. `above`: the folder that it would be made in. */
export function noPlace(store: string, above: string): LifeboatError {
  return new LifeboatError(`there is no store in ${store} yet, and the folder ${above}, where it would be made, is missing`, {
    hint:
      'Is the path spelled right, and the disk mounted? Nothing was written. ' +
      marked`For a new store, make the folder, or have the backup or copy make it with ‹create: true›.`,
  })
}

import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'

/** Of a store that would be made among files of something else. `others`: their names. */
export function otherFiles(store: string, others: readonly string[]): LifeboatError {
  const some = `${others.slice(0, 3).join(', ')}${others.length > 3 ? ' and others' : ''}`
  return new LifeboatError(`there is no store in ${store} yet, and the folder has other files: ${some}`, {
    hint:
      'Is the path spelled right? Nothing was written. ' +
      marked`Give a folder that is new or empty, or have the backup or copy make it among these files with ‹create: true›.`,
  })
}

/** Of a store that would be made where its disk or share is perhaps not mounted. `above`: the folder that it would be made in. */
export function noPlace(store: string, above: string): LifeboatError {
  return new LifeboatError(`there is no store in ${store} yet, and the folder ${above}, where it would be made, is missing`, {
    hint:
      'Is the path spelled right, and the disk mounted? Nothing was written. ' +
      marked`For a new store, make the folder, or have the backup or copy make it with ‹create: true›.`,
  })
}

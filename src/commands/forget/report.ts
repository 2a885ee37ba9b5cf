import type { ForgetResult } from './result.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { pruneCommand } from '../../report/recipe.ts'
import type { TextContext } from '../../report/context.ts'

export function forgetHeadline({ forgotten, store }: ForgetResult): string {
  return `${formatCount(forgotten.length, 'snapshot')} deleted from ${store}`
}

export function forgetText(result: ForgetResult, { program, destination }: TextContext): string {
  const { forgotten, freed, left, store } = result
  const [is, them] = freed.objects === 1 ? ['is', 'it'] : ['are', 'them']
  return [
    `${forgetHeadline(result)}: ${forgotten.map(({ snapshot }) => snapshot).join(', ')}`,
    `${formatCount(freed.objects, 'chunk')} (${formatBytes(freed.bytes)}) ${is} no longer needed by any snapshot; ` +
      `two runs of prune, a grace period apart, delete ${them}. ` +
      (left > 0 ? 'This one keeps every snapshot that is left:' : `${store} has no snapshot left, so it needs to be forced:`),
    // Without a snapshot a prune does not trust the listing of a store.
    `  ${pruneCommand(program, { destination, set: forgotten[0]!.set, retention: 'none' })}${left > 0 ? '' : ' --force'}`,
  ].join('\n')
}

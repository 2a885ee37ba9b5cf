import type { LabelResult } from './result.ts'
import { formatTime } from '../../report/format.ts'
import type { TextContext } from '../../report/context.ts'

export function labelHeadline({ snapshot, set, pinned, tags }: LabelResult): string {
  const tagged = tags.length === 0 ? 'without tags' : `tagged ${tags.map((tag) => `#${tag}`).join(' ')}`
  return `Snapshot ${snapshot} of set ${set} is ${pinned ? 'pinned' : 'not pinned'}, ${tagged}`
}

export function labelText(result: LabelResult, { timeZone }: TextContext): string {
  return `${labelHeadline(result)}. It was made ` +
    `${formatTime(result.time, timeZone)}.${result.pinned ? ' No retention policy deletes it.' : ''}`
}

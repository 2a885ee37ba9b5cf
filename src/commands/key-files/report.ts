import { marked } from '../../marks.ts'
import type { KeyAddResult, KeyListResult, KeyRemoveResult } from './result.ts'
import { formatColumns, formatCount, formatTime } from '../../report/format.ts'

export function keyAddText({ store, added }: KeyAddResult): string {
  if (added.length === 0) return `The new passphrase opens ${store} already.`
  return [
    `The new passphrase opens ${store}: ${added.join(', ')}.`,
    marked`The old one does as well, until ‹lifeboat key remove› takes it away.`,
  ].join('\n')
}

export function keyRemoveText({ store, removed, left }: KeyRemoveResult): string {
  return [
    `Removed from ${store}: ${removed.join(', ')}. ${formatCount(left.length, 'key file')} left.`,
    'Other stores and copies keep their key files: remove it in each of them.',
    'People who have an earlier copy of the store, or have opened it with that passphrase, can still read its content: the identity ' +
      'behind it is the same.',
  ].join('\n')
}

export function keyListHeadline({ keys, store }: KeyListResult): string {
  return `${keys.length} key files in ${store}`
}

export function keyListText({ store, keys }: KeyListResult, { timeZone }: { timeZone: string }): string {
  if (keys.length === 0) return `${store} has no key file: its key is an identity.`
  const rows = keys.map(({ name, fingerprint, modified, opens }) => [
    name,
    fingerprint,
    formatTime(modified, timeZone),
    ...(opens === undefined ? [] : [opens ? 'yes' : 'no']),
  ])
  const [first] = keys
  return formatColumns([['NAME', 'KEY', 'WRITTEN', ...(first?.opens === undefined ? [] : ['OPENS WITH THE KEY GIVEN'])], ...rows])
}

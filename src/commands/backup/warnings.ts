import type { Environment } from '../../environment.ts'
import { marked, markedCommand } from '../../marks.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import type { KnownChunks, OtherKeySnapshots } from '../../repository/known.ts'
import type { RetentionPolicy } from '../../repository/retention.ts'
import { kindIfKnown } from '../../sources/known-kinds.ts'
import type { Shrunk } from '../../sources/shrink.ts'
import type { Destination } from '../../stores/destination.ts'
import { otherKeyText } from './other-key.ts'
import type { BackupResult } from './result.ts'
import { shrunkLines } from './shrink.ts'

type Reporting = Pick<Environment, 'report'>

/** A recipient that was added can open only objects that are sealed again; one that was left out cannot open this backup. */
export function warnOfRecipients({ unsealed, dropped, latest }: KnownChunks, { report }: Reporting): void {
  if (dropped.length > 0) {
    report.warning(
      marked`this backup cannot be opened by ${formatCount(dropped.length, 'recipient')} that can open snapshot ${latest}: ‹recipients› ` +
        `does not name ${dropped.length === 1 ? 'it' : 'them'} any more`,
      marked`Every backup is sealed to the encryption key and to those that ‹recipients› names in that run. If this is expected, do ` +
        marked`nothing. If not, give ‹recipients› in every backup, and back up again.`,
    )
  }
  const chunks = unsealed.ids.size
  if (chunks === 0) return
  report.warning(
    `${formatCount(chunks, 'chunk')} of the newest snapshot (${formatBytes(unsealed.bytes)} of data) ${chunks === 1 ? 'is' : 'are'} ` +
      'not sealed to every recipient: what this backup needs of them is stored once more',
    'A recipient was added. It opens the snapshots from this one on, not those before.',
  )
}

/** Never a refusal: a forged snapshot can claim any key. `given`: fingerprint of the key of this backup. */
export function warnOfOtherKey(other: OtherKeySnapshots, set: string, given: string, { report }: Reporting): void {
  report.warning(
    `${otherKeyText(other, set)}; the key given is ${given}: this backup cannot be opened with the other key, nor those with this one`,
    'If the key was changed on purpose, keep the old key as long as its snapshots are needed (docs/keys.md, "Changing the key"). If ' +
      'not, give the old key and back up again. If you know of no such key, someone without your key put them there: ' +
      marked`‹lifeboat list› shows them.`,
  )
}

/** `lacking` and `having`: destinations, of which only the second has earlier snapshots of the set. */
export function warnOfLacking(lacking: string, having: string, set: string, { report }: Reporting): void {
  const copy = marked`‹lifeboat copy; from: ${having}; destination: ${lacking}; set: ${set}›`
  report.warning(
    `${lacking} has no earlier backup of set ${set}, and ${having} has: this one stores everything again in each`,
    'Each reuses only chunks that all of them have. If there were backups, look for the disk that is not mounted, the path that is ' +
      `wrong, or who deleted them. If it is a new destination, give it the earlier backups: ${copy}.`,
  )
}

/** `id`: of the newest snapshot of the set. */
export function warnOfSkew(id: string | undefined, set: string, { report }: Reporting): void {
  report.warning(
    `the newest snapshot of set ${set}, ${id}, is dated in the future: \`latest\` passes over it`,
    'Set the clock of the machine that is wrong.',
  )
}

/** The newest snapshot before a backup, and the destinations that have it. `id`: undefined if no snapshot can be read. */
interface Before {
  id?: string | undefined
  damaged: boolean
  set: string
  places: readonly Pick<Destination, 'text' | 'immutable'>[]
}

/** The inputs with which a command finds the snapshot, wherever it is run. */
function placeOf({ set, places: [first] }: Before): Record<string, string> {
  return { ...(first && { destination: first.text }), set }
}

/** A prune of one destination heeds only its own pins. Undefined where nothing can be pinned. */
function pinText({ id = 'ID', set, places }: Before): string | undefined {
  const pins = places.filter(({ immutable }) => !immutable).map(({ text }) => markedCommand(`pin ${id}`, { destination: text, set }))
  return pins.length > 0 ? `${pins.join(' and ')} ${pins.length > 1 ? 'keep' : 'keeps'} the backup before this one` : undefined
}

/** The warning that the snapshot to keep is not whole. */
function damageOf(before: Before): string {
  if (!before.damaged || before.id === undefined) return ''
  const tells = markedCommand('verify', { ...placeOf(before), snapshot: before.id, level: 'read' })
  return ` Snapshot ${before.id} is DAMAGED: ${tells} tells which of its sources are whole, and ` +
    `${markedCommand('list', placeOf(before))} names the newest snapshot that is whole.`
}

/** `before`: the snapshot that `id`, this backup, was compared with. */
export function warnOfShrinking(shrunk: readonly Shrunk[], id: string, before: Before, { report }: Reporting): void {
  const differs = markedCommand(`diff ${before.id ?? 'FROM'} ${id}`, placeOf(before))
  const hint = `If this is expected, do nothing. If not, ${pinText(before) ?? 'copy the backup before this one'}: the next backup prunes ` +
    `by the policy again. Then restore from it. ${differs} shows what else is different.${damageOf(before)}`
  const lines = shrunkLines(shrunk)
  // One hint, below all of them.
  for (const [index, text] of lines.entries())
    report.warning(`compared with the previous backup: ${text}`, index === lines.length - 1 ? hint : undefined)
}

/** Sources without a table or a file: often the name of a database, a folder or a pattern is wrong. Those that shrank are told of. */
export function warnOfEmpty(sources: BackupResult['sources'], shrunk: readonly Shrunk[], { report }: Reporting): void {
  for (const { name, kind, amount, leftOut = [] } of sources) {
    if (amount?.count !== 0 || shrunk.some((one) => one.source === name && one.kind === kind)) continue
    const noun = kindIfKnown(kind)?.noun ?? 'source'
    const check = noun === 'database' ? 'the name of the database in its URL'
      : marked`its location, ‹include›, ‹exclude› and the file .lifeboatignore in it`
    const told = [`${noun} ${name}: 0 ${amount.noun}s`, ...leftOut.map((text) => `left out: ${text}`)].join('; ')
    report.warning(told, `The backup has nothing of it. If this is not expected, check ${check}.`)
  }
}

/** `before`: the newest snapshot before this backup. */
export function warnOfHeldPrune(reason: string, before: Before, { report }: Reporting): void {
  const pin = pinText(before)
  report.warning(
    `nothing was pruned: ${reason}`,
    pin !== undefined
      ? `The next backup prunes by the policy again: pin what is to stay. ${pin}.${damageOf(before)}`
      : 'The next backup prunes by the policy again, and artifacts cannot be pinned: copy what is to stay to another destination. ' +
        `The command copy does it${before.id === undefined ? '' : `; the backup before this one is ${before.id}`}.${damageOf(before)}`,
  )
}

/** `size`: bytes of the newest snapshot of the set; `limit`: those that a snapshot may have. */
export function warnOfLargeSnapshot(set: string, size: number, limit: number, { report }: Reporting): void {
  report.warning(
    `the newest snapshot of set ${set} has ${formatBytes(size)}, and none may have more than ${formatBytes(limit)}`,
    'Back up the sources in several sets.',
  )
}

/** Stores whose objects expire keep them for as long as the rules that count time or snapshots need. */
export function warnOfExpiry(store: string, { drilled, ...others }: RetentionPolicy, { report }: Reporting): void {
  if (drilled === undefined || Object.keys(others).length === 0) return
  report.warning(
    `in ${store} the newest drilled snapshot is not kept by drilled=${drilled} alone: artifacts expire as the other rules say`,
    'Drill more often than that, or copy backups to another store.',
  )
}

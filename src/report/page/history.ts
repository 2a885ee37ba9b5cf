import { formatBytes, formatCount, oneLine } from '../format.ts'
import type { PageFacts, PageSnapshot } from './facts.ts'
import type { SetHealth } from './health.ts'
import { html, link, type Markup, name, type Piece } from './html.ts'
import { table } from './table.ts'
import { markOf, MARKS, minute, moment, sign } from './words.ts'

/** More rows than anyone reads; `list --json` has them all. */
const MOST_ROWS = 500
const MOST_CHARACTERS = 80

/** Every backup of the set. */
export function historyPart({ set, snapshots }: SetHealth, { timeZone }: PageFacts): Markup {
  const some = snapshots.length > MOST_ROWS ? `; the newest ${MOST_ROWS} of ${snapshots.length.toLocaleString('en-US')}` : ''
  const any = (has: (one: PageSnapshot) => unknown): boolean => snapshots.some((one) => Boolean(has(one)))
  const about = { name: 'history', label: `All backups of ${oneLine(set)}`, caption: html`Backups of ${name(set)}, newest first${some}.` }
  const title = html`${snapshots.length > 1 && 'All '}${formatCount(snapshots.length, 'backup')}`
  return html`<details class="all"><summary>${title}</summary>${table<PageSnapshot>(about, [
    { head: 'Made', cell: ({ time }) => moment(time, timeZone) },
    { head: 'Size', kind: 'n', cell: ({ size }) => formatBytes(size) },
    { head: 'Added', kind: 'n', cell: ({ added }) => formatBytes(added) },
    { head: 'State', kind: 'state', cell: stateOf },
    { head: 'Verified', cell: (one) => proofsOf(one, timeZone) },
    any((one) => one.retention) && { head: 'Kept', cell: keptOf },
    any((one) => one.expires) && { head: 'Expires', cell: ({ expires }) => expires !== undefined && moment(expires, timeZone) },
    any((one) => notesOf(one).length) && { head: 'Notes', kind: 'notes', cell: notesOf },
    { head: 'Snapshot', cell: ({ id, run }) => link(html`<code>${id}</code>`, run) },
  ], snapshots.slice(0, MOST_ROWS))}</details>`
}

const LIGHT_OF = { drilled: 'good', verified: 'good', unverified: 'unknown', partial: 'attention', failed: 'bad', damaged: 'bad' } as const

function stateOf(one: PageSnapshot): Markup {
  const mark = markOf(one)
  const why = one.damage !== undefined && html`<span class="why">${oneLine(one.damage)}</span>`
  return html`${sign(LIGHT_OF[mark], 'said')}${MARKS.find((known) => known.mark === mark)!.word}${why}`
}

function proofsOf({ proofs }: PageSnapshot, timeZone: string): Piece {
  return proofs.map(({ level, result, time }, index) => {
    const not = result !== 'verified' && html` <strong>${result}</strong>`
    return html`${index > 0 && html`<br>`}${level}${not} <span class="quiet">${minute(time, timeZone)}</span>`
  })
}

function keptOf({ retention, pinned }: PageSnapshot): Piece {
  if (!retention) return pinned && 'pinned'
  const reasons = retention.reasons.map(oneLine).join(', ')
  return retention.keep ? reasons : html`<span class="go">goes</span> <span class="quiet">${reasons}</span>`
}

function notesOf({ tags, description = '', pinned, retention, authentic }: PageSnapshot): Piece[] {
  return [
    ...tags.map((tag) => html`<span class="tag">${name(tag)}</span> `),
    ...(pinned && !retention ? [html`<span class="tag">pinned</span> `] : []),
    ...(description === '' ? [] : [name(oneLine(description).slice(0, MOST_CHARACTERS))]),
    ...(authentic ? [] : [html`<span class="quiet">not checked</span>`]),
  ]
}

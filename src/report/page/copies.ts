import { isSafetySet } from '../../repository/safety-set.ts'
import { formatBytes, formatCount } from '../format.ts'
import type { PageCopy, PageFacts } from './facts.ts'
import { html, type Markup, name, type Piece } from './html.ts'
import { type Column, hidden, table } from './table.ts'
import { moment, sign } from './words.ts'

/** Where the backups are: the store that was looked at, and the others that this run wrote to or checked. */
export function copiesPart({ store, snapshots, copies, of, timeZone, run }: PageFacts): Markup {
  const rows: PageCopy[] = [copies.find((copy) => copy.store === store) ?? { store }, ...copies.filter((copy) => copy.store !== store)]
  const added = snapshots.reduce((sum, one) => sum + one.added, 0)
  const here = (value: Piece, elsewhere: Piece = '–') => (row: PageCopy): Piece => (row.store === store ? value : elsewhere)
  return html`<section aria-labelledby="copies"><h2 id="copies">Where the copies are</h2>
${table<PageCopy>({ name: 'copies', label: 'Stores', caption: hidden('Stores, and the backups in them') }, [
    { head: 'Store', cell: (row) => name(row.store) },
    { head: 'Backups', cell: here(formatCount(of ?? snapshots.length, 'snapshot'), html`<span class="quiet">not read here</span>`) },
    { head: 'Newest', cell: here(snapshots[0] ? moment(snapshots[0].time, timeZone) : 'none') },
    { head: of === undefined ? 'Added by them' : 'Added by those read', kind: 'n', cell: here(formatBytes(added)) },
    copies.length > 0 && (run?.command === 'check' ? OF_CHECK : OF_RUN),
  ], rows)}
${rows.length > 1 && html`<p class="hint">The sets, figures and recipes of this report are those of ${name(store)} alone.</p>`}
${!run && html`<p class="hint">This report is of one store. For another copy elsewhere, give backup a second destination, or use copy.</p>`}
${safetyNote(snapshots)}</section>`
}

const OF_RUN: Column<PageCopy> = {
  head: 'The backup of this run', kind: 'state',
  cell: ({ problem, verified }) => {
    if (problem !== undefined) return html`${sign('bad', 'said')}lacks it: ${problem}`
    return verified !== undefined && html`${sign('good', 'said')}has it, ${verified === 'none' ? 'not verified' : `verified: ${verified}`}`
  },
}

const OF_CHECK: Column<PageCopy> = {
  head: 'This check', kind: 'state',
  cell: ({ problem, found }) => {
    if (problem !== undefined) return html`${sign('bad', 'said')}could not look at it: ${problem}`
    if (found === undefined) return '–'
    return found === 0 ? html`${sign('good', 'said')}found it fresh` : html`${sign('bad', 'said')}found ${formatCount(found, 'problem')}`
  },
}

/** Backups that restores made are no part of any count above. */
function safetyNote(snapshots: PageFacts['snapshots']): Piece {
  const count = snapshots.filter(({ set }) => isSafetySet(set)).length
  return count > 0 && count < snapshots.length && html`<p class="hint">${formatCount(count, 'snapshot')} of these ${
    count === 1 ? 'was' : 'were'} made by restores, of the data that they replaced; they go by themselves.</p>`
}

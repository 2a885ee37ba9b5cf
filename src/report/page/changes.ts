import { formatBytes, formatCount } from '../format.ts'
import type { ItemChange, PageFacts } from './facts.ts'
import type { SetHealth } from './health.ts'
import { html, type Markup, name, type Piece } from './html.ts'
import { percent } from './scale.ts'
import { type Column, table } from './table.ts'
import { day, minute } from './words.ts'

const HEADING = 'Changes in size'

/** The tables, or sources, that grew and shrank the most. */
export function changesPart({ set }: SetHealth, { changes, timeZone }: PageFacts): Piece {
  const change = changes.find((one) => one.set === set)
  if (!change) return undefined
  const { items, compared, from, to } = change
  const named = day(from, timeZone) === day(to, timeZone) ? minute : day
  const between = `${named(from, timeZone)} and ${named(to, timeZone)}`
  if (items.length === 0) {
    const all = formatCount(compared, 'table or source', 'tables and sources')
    return html`<h3>${HEADING}</h3><p class="hint">Between ${between} none of ${all} changed its size, or the number of its rows.</p>`
  }
  const noun = items.some((item) => item.table !== undefined) ? 'Table' : 'Source'
  const caption = `Between ${between}, the largest changes of ${formatCount(compared, noun.toLowerCase())}.`
  const most = Math.max(1, ...items.map((item) => Math.abs(difference(item))))
  return html`<h3>${HEADING}</h3>${table<ItemChange>({ name: 'changes', label: HEADING, caption }, [
    { head: noun, cell: nameOf },
    { head: 'Before', kind: 'n', cell: ({ before }) => (before === null ? 'not there' : formatBytes(before)) },
    { head: 'Now', kind: 'n', cell: ({ now }) => (now === null ? 'gone' : formatBytes(now)) },
    { head: 'Change', kind: 'n', cell: (item) => signed(difference(item), formatBytes) },
    { head: 'Drawn', kind: 'drawn', cell: (item) => drawn(difference(item), most) },
    items.some(({ rows }) => rows) && ROWS,
  ], items)}`
}

function difference({ before, now }: ItemChange): number {
  return (now ?? 0) - (before ?? 0)
}

function nameOf({ source, table }: ItemChange): Markup {
  return table === undefined ? name(source) : html`${name(table)} <span class="quiet">${name(source)}</span>`
}

/** Left of the middle it shrank, right of it it grew. */
function drawn(change: number, most: number): Markup {
  const width = Math.max(1, (Math.abs(change) / most) * 50)
  return html`<svg class="delta" aria-hidden="true"><line x1="50%" x2="50%" y1="0" y2="16" class="rule"/><rect
x="${percent(change < 0 ? 50 - width : 50)}" width="${percent(width)}" y="3" height="10" class="${change < 0 ? 'less' : 'more'}"/></svg>`
}

const ROWS: Column<ItemChange> = {
  head: 'Rows', kind: 'n',
  cell: ({ rows }) => rows && html`${count(rows.now)} <span class="quiet">${signed(rows.now - rows.before, count)}</span>`,
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

function signed(value: number, format: (value: number) => string): string {
  return value === 0 ? '±0' : `${value < 0 ? '−' : '+'}${format(Math.abs(value))}`
}

import { html, type Markup, type Piece } from './html.ts'

/** A column; the first of a table names its rows. */
export interface Column<Row> {
  head: string
  cell: (row: Row) => Piece
  /** `n`: figures; `drawn`: a drawing, whose head is for screen readers alone. */
  kind?: 'n' | 'state' | 'drawn' | 'notes'
}

/** A table that scrolls by itself where the page is too narrow for it. `label`: for screen readers. */
export function table<Row>(
  { name, label, caption }: { name: string; label: string; caption: Piece },
  columns: readonly (Column<Row> | false)[],
  rows: readonly Row[],
): Markup {
  const shown = columns.filter((column) => column !== false)
  const heads = shown.map(({ head, kind }) => (
    kind === 'drawn' ? html`<th scope="col"><span class="aside">${head}</span></th>` : html`<th scope="col" class="${kind}">${head}</th>`))
  const lines = rows.map((row) => html`<tr>${shown.map(({ cell, kind }, index) => (
    index === 0 ? html`<th scope="row">${cell(row)}</th>` : html`<td class="${kind}">${cell(row)}</td>`))}</tr>`)
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${label}"><table class="${name}">
<caption>${caption}</caption><thead><tr>${heads}</tr></thead><tbody>${lines}</tbody></table></div>`
}

/** A caption that only screen readers tell: the heading above says the same. */
export function hidden(text: string): Markup {
  return html`<span class="aside">${text}</span>`
}

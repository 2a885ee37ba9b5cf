import { formatBytes } from '../format.ts'
import type { PageSnapshot } from './facts.ts'
import type { SetHealth } from './health.ts'
import { html, type Markup, type Piece } from './html.ts'
import { percent, placeOf, shareOf, timeScale, type TimeScale } from './scale.ts'
import { axis } from './timeline.ts'
import { minute } from './words.ts'

/** Points on a line, and bars below it, at most. */
const CELLS = 120

interface Cell {
  /** The newest of it. */
  snapshot: PageSnapshot
  added: number
  count: number
}

/** The size of the data and of what is stored of it, and below it how much each backup added. */
export function sizeChart({ set, snapshots }: SetHealth, made: string, timeZone: string): Piece {
  const scale = timeScale(snapshots.map(({ time }) => time), made, timeZone)
  const [newest, first] = [snapshots[0]!, snapshots.at(-1)!]
  const cells = [...Map.groupBy(snapshots, ({ time }) => Math.round(shareOf(scale, time) * CELLS)).values()]
    .map((own): Cell => ({ snapshot: own[0]!, added: own.reduce((sum, { added }) => sum + added, 0), count: own.length })).toReversed()
  if (cells.length < 3) return undefined
  const largest = Math.max(1, ...cells.map(({ snapshot }) => Math.max(snapshot.size, snapshot.stored)))
  const most = topOf(cells.map(({ added }) => added))
  const change = newest.size - first.size
  const ends = [first, newest].map(({ time, size }) => `${minute(time, timeZone).slice(0, 10)}, ${formatBytes(size)}`)
  const label = `Size of the backups of ${set} over time: ${ends.join('; ')}`
  return html`<figure class="chart"><figcaption><h3>Size over time</h3>
<p class="hint">From ${formatBytes(first.size)} to ${formatBytes(newest.size)} (${change < 0 ? '−' : '+'}${formatBytes(Math.abs(change))});
the newest needs ${formatBytes(newest.stored)} in the store.</p>
<ul class="legend"><li><span class="swatch line"></span>data</li><li><span class="swatch area"></span>stored, compressed and encrypted</li>
<li><span class="swatch bar"></span>added by each backup</li></ul></figcaption><svg class="plot" role="img" aria-label="${label}">
<svg y="14" height="96" viewBox="0 0 100 96" preserveAspectRatio="none" overflow="visible">${lines(cells, scale, largest)}</svg>
${level(14, 'grid')}${level(110, 'base')}${scaleText(10, largest)}${level(138, 'grid')}${level(170, 'base')}${scaleText(134, most)}
${cells.map((cell) => bar(cell, scale, most))}<svg y="170" height="24">${axis(scale)}</svg></svg></figure>`
}

function level(y: number, name: string): Markup {
  return html`<line x1="0" x2="100%" y1="${y}" y2="${y}" class="${name}"/>`
}

function scaleText(y: number, bytes: number): Markup {
  return html`<text x="100%" y="${y}" text-anchor="end">${formatBytes(bytes)}</text>`
}

/** The height of the bars: without the first backup, which adds everything and would make all others invisible. */
function topOf(added: readonly number[]): number {
  const [largest = 1, second = largest] = added.toSorted((a, b) => b - a)
  return Math.max(1, largest > 4 * second ? second : largest)
}

function lines(cells: readonly Cell[], scale: TimeScale, largest: number): Markup {
  const points = (value: (snapshot: PageSnapshot) => number): string => cells
    .map(({ snapshot }) => `${placeOf(scale, snapshot.time).toFixed(2)} ${(96 - (value(snapshot) / largest) * 96).toFixed(1)}`).join('L')
  const ends = [cells.at(-1)!, cells[0]!].map(({ snapshot }) => placeOf(scale, snapshot.time).toFixed(2))
  const stored = points((snapshot) => snapshot.stored)
  return html`<path class="area" d="M${stored}L${ends[0]} 96L${ends[1]} 96z"/><path class="top" d="M${stored}"/><path
class="line" d="M${points(({ size }) => size)}"/>`
}

function bar({ snapshot, added, count }: Cell, scale: TimeScale, most: number): Markup {
  const height = Math.max(1, Math.min(1, added / most) * 32)
  const place = placeOf(scale, snapshot.time)
  const when = `${count > 1 ? `${count} backups up to ` : ''}${minute(snapshot.time, scale.timeZone)}`
  const cut = added > most && html`<line x1="${percent(place - 0.8)}" x2="${percent(place + 0.8)}" y1="147" y2="143" class="cut"/><text
x="${percent(Math.min(88, place + 0.9))}" y="134">${formatBytes(added)}</text>`
  return html`<rect x="${percent(place - 0.3)}" width="0.6%" y="${(170 - height).toFixed(1)}" height="${height.toFixed(1)}"
class="bar"><title>${when}: ${formatBytes(added)} added, ${formatBytes(snapshot.size)} in all</title></rect>${cut}`
}

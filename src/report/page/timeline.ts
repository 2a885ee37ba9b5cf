import { formatBytes, formatCount } from '../format.ts'
import type { PageFacts, PageSnapshot } from './facts.ts'
import type { SetHealth } from './health.ts'
import { html, type Markup, name } from './html.ts'
import { percent, placeOf, shareOf, ticks, type TimeScale } from './scale.ts'
import { type SnapshotMark, markOf, MARKS, minute, sign } from './words.ts'

/** Snapshots so close to each other that they would hide each other are one mark. */
const CELLS = 150

interface Cell {
  snapshots: PageSnapshot[]
  /** That of the worst of them. */
  mark: SnapshotMark
  /** Retention lets all of them go. */
  going: boolean
}

/** A row for each set, a mark for each snapshot. `snapshots`: newest first. */
export function timeline({ timeZone, snapshots, chosen, of }: PageFacts, sets: readonly SetHealth[], scale: TimeScale): Markup {
  const used = new Set<string>(snapshots.map(markOf))
  const date = ({ time }: PageSnapshot): string => minute(time, timeZone).slice(0, 10)
  const [first, last] = [date(snapshots.at(-1)!), date(snapshots[0]!)]
  const every = `Every ${of !== undefined || chosen ? 'listed ' : ''}backup ${first === last ? `of ${last}` : `from ${first} to ${last}`}.`
  const part = of === undefined ? '' : ` The store has ${formatCount(of, 'snapshot')}; the newest were read.`
  const keys = MARKS.filter(({ mark }) => used.has(mark)).map(({ mark, word }) => key(drawn(mark, '50%'), word))
  const going = snapshots.some(({ retention }) => retention?.keep === false)
  return html`<section aria-labelledby="time"><h2 id="time">Time line</h2><p class="hint">${every}${part}</p>
<ul class="legend" aria-label="Signs on the time line">${keys}${
    going && key(html`<g class="going">${drawn('verified', '50%')}</g>`, 'goes with the next prune')}</ul>
<div class="timeline">${sets.map((set, index) => row(set, index, scale))}
<div class="row axis"><span></span><svg class="ticks" aria-hidden="true">${axis(scale)}</svg></div></div></section>`
}

function key(drawing: Markup, word: string): Markup {
  return html`<li><svg class="key" aria-hidden="true">${drawing}</svg>${word}</li>`
}

function row({ set, light, snapshots }: SetHealth, index: number, scale: TimeScale): Markup {
  const marks = cellsOf(snapshots, scale).map((cell) => html`<g class="${cell.going && 'going'}">${
    drawn(cell.mark, percent(placeOf(scale, cell.snapshots[0]!.time)))}<title>${titleOf(cell, scale.timeZone)}</title></g>`)
  return html`<div class="row"><a class="label" href="#set-${index + 1}">${sign(light)}${name(set)}</a>
<svg class="strip" role="img" aria-label="${formatCount(snapshots.length, 'backup')}: ${counted(snapshots)}"><line
x1="0" x2="100%" y1="50%" y2="50%" class="rule"/>${marks}</svg></div>`
}

/** `3 verified, 1 damaged`. */
function counted(snapshots: readonly PageSnapshot[]): string {
  return [...Map.groupBy(snapshots, wordOf)].map(([word, { length }]) => `${length} ${word}`).join(', ')
}

function wordOf(snapshot: PageSnapshot): string {
  const mark = markOf(snapshot)
  return MARKS.find((one) => one.mark === mark)!.word
}

function titleOf({ snapshots }: Cell, timeZone: string): string {
  const [newest, oldest] = [snapshots[0]!, snapshots.at(-1)!]
  if (newest === oldest) return `${minute(newest.time, timeZone)}: ${formatBytes(newest.size)}, ${wordOf(newest)}`
  return `${minute(oldest.time, timeZone)} to ${minute(newest.time, timeZone)}: ${counted(snapshots)}`
}

function cellsOf(snapshots: readonly PageSnapshot[], scale: TimeScale): Cell[] {
  const cells = Map.groupBy(snapshots, ({ time }) => Math.round(shareOf(scale, time) * CELLS))
  return [...cells.values()].map((own) => ({
    snapshots: own,
    mark: own.map(markOf).toSorted((a, b) => weight(b) - weight(a))[0]!,
    going: own.every(({ retention }) => retention?.keep === false),
  }))
}

/** Damage is never hidden; of those without, one that was drilled speaks for its neighbours. */
function weight(mark: SnapshotMark): number {
  return ['unverified', 'verified', 'drilled', 'partial', 'failed', 'damaged'].indexOf(mark)
}

/** A mark whose middle is there; each has a form of its own. */
function drawn(mark: SnapshotMark, x: string): Markup {
  if (mark === 'drilled') return html`<circle cx="${x}" cy="50%" r="7" class="m-ring"/><circle cx="${x}" cy="50%" r="4" class="m-good"/>`
  if (mark === 'verified') return html`<circle cx="${x}" cy="50%" r="4" class="m-good"/>`
  if (mark === 'unverified') return html`<circle cx="${x}" cy="50%" r="3.6" class="m-open"/>`
  const drawing = {
    partial: html`<path d="M0-6 6 5H-6z" class="m-attention"/>`,
    failed: html`<path d="M-5 0H5" class="m-bad"/>`,
    damaged: html`<path d="M-5-5 5 5M5-5-5 5" class="m-bad"/>`,
  }[mark]
  return html`<svg x="${x}" y="50%" overflow="visible">${drawing}</svg>`
}

/** The labels of time below a drawing. */
export function axis(scale: TimeScale): Markup[] {
  return ticks(scale).map(({ at, label }, index) => {
    const x = placeOf(scale, at)
    const anchor = x < 6 ? 'start' : x > 94 ? 'end' : 'middle'
    return html`<g class="${index % 2 === 1 ? 'tick second' : 'tick'}"><line x1="${percent(x)}" x2="${percent(x)}" y1="0" y2="5"/><text
x="${percent(x)}" y="18" text-anchor="${anchor}">${label}</text></g>`
  })
}

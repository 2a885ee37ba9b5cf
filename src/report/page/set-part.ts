import { formatAge, formatBytes, formatCount, formatSeconds, formatSome, oneLine } from '../format.ts'
import { changesPart } from './changes.ts'
import type { PageFacts } from './facts.ts'
import { isChecked, recoverySeconds, type SetHealth } from './health.ts'
import { historyPart } from './history.ts'
import { html, type Markup, name, type Piece } from './html.ts'
import { drillsPart } from './recovery.ts'
import { retentionPart } from './retention.ts'
import { restoringPart } from './restoring.ts'
import { sizeChart } from './sizes.ts'
import { formatUsual } from './spans.ts'
import { hidden, table } from './table.ts'
import { type Light, moment, sign } from './words.ts'

/** As many names are shown in a line. */
const MOST_SOURCES = 12

/** All sets, when there are several: one row each. */
export function setsTable({ made, timeZone }: PageFacts, sets: readonly SetHealth[]): Piece {
  if (sets.length < 2) return undefined
  const now = new Date(made)
  const about = { name: 'sets', label: 'Sets', caption: hidden('Each set of backups, with its state and its newest backup') }
  return html`<section aria-labelledby="sets"><h2 id="sets">Sets</h2>${table<SetHealth>(about, [
    { head: 'Set', cell: (one) => html`<a href="#set-${sets.indexOf(one) + 1}">${name(one.set)}</a>` },
    { head: 'State', kind: 'state', cell: ({ light }) => sign(light, 'shown') },
    { head: 'Newest backup', cell: ({ newest: { time } }) => [`${formatAge(time, now)} old `, quiet(moment(time, timeZone))] },
    { head: 'Size', kind: 'n', cell: ({ newest }) => formatBytes(newest.size) },
    { head: 'Backups', kind: 'n', cell: ({ snapshots }) => snapshots.length.toLocaleString('en-US') },
    {
      head: 'A restore takes', kind: 'n',
      cell: ({ drilled }) => (drilled ? formatSeconds(recoverySeconds(drilled.drill)) : quiet('not measured')),
    },
    {
      head: 'Would be lost', kind: 'n',
      cell: (one) => (one.good ? formatAge(one.good.time, now) : isChecked(one) ? 'everything' : quiet('not checked')),
    },
  ], sets)}</section>`
}

function quiet(text: Piece): Markup {
  return html`<span class="quiet">${text}</span>`
}

/** With more sets than this, those that are all right are folded. */
const MOST_UNFOLDED = 3

/** Everything about each set. */
export function setParts(sets: readonly SetHealth[], facts: PageFacts): Piece {
  const folds = (light: Light): boolean => sets.length > MOST_UNFOLDED && light === 'good'
  return sets.map((health, index) => (folds(health.light) ? folded : setPart)(health, index, facts))
}

/** A link to what is inside opens it. */
function folded(health: SetHealth, index: number, facts: PageFacts): Markup {
  return html`<details class="fold"><summary>${titleOf(health)}</summary>${setPart(health, index, facts)}</details>`
}

function setPart(health: SetHealth, index: number, facts: PageFacts): Markup {
  const { findings } = health
  return html`<section class="set" id="set-${index + 1}" aria-labelledby="name-${index + 1}">
<h2 id="name-${index + 1}">${titleOf(health)}</h2>
${findings.length > 0 && html`<ul class="findings">${findings.map((one) => html`<li>${sign(one.light)}<div>${one.text}</div></li>`)}</ul>`}
${summary(health, facts)}
${sizeChart(health, facts.made, facts.timeZone)}
${changesPart(health, facts)}
<div class="columns"><div>${drillsPart(health, facts)}</div><div>${retentionPart(health, facts)}</div></div>
${restoringPart(health, facts)}
${historyPart(health, facts)}
</section>`
}

function titleOf({ set, light }: SetHealth): Markup {
  return html`${name(set)} <span class="badge ${light}">${sign(light, 'shown')}</span>`
}

function summary({ newest, usual, snapshots, row }: SetHealth, { made, timeZone, restorable }: PageFacts): Markup {
  const { sources = [], time, size, stored, id } = newest
  const names = sources.map((one) => (sources.length > 1 ? `${oneLine(one.name)} ${formatBytes(one.size)}` : oneLine(one.name)))
  const often = usual === undefined || usual < 60_000 ? '' : `, usually one every ${formatUsual(usual)}`
  const all = snapshots.length === 1 ? '' : 'all '
  const good = row.length === snapshots.length ? all : `the newest ${formatCount(row.length, 'backup')} in a row `
  const none = newest.authentic ? 'the newest is not good' : 'the newest is not checked'
  const inRow = row.length === 0 ? none : `${good}verified and complete`
  const facts: [string, Piece][] = [
    ['Newest', html`${moment(time, timeZone)}, ${formatAge(time, new Date(made))} old${id === restorable && '; its objects are there'}`],
    ['Size', `${formatBytes(size)}, ${formatBytes(stored)} stored`],
    ...(names.length > 0 ? [['Content', html`<bdi>${formatSome(names, MOST_SOURCES)}</bdi>`] satisfies [string, Piece]] : []),
    ['Backups', `${snapshots.length.toLocaleString('en-US')}${often}; ${inRow}`],
  ]
  return html`<dl class="facts">${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`
}

import { formatAge, formatCount, formatSeconds, formatBytes } from '../format.ts'
import type { PageFacts, PageSnapshot } from './facts.ts'
import { isChecked, isGood, recoverySeconds, type SetHealth, worst } from './health.ts'
import { html, type Markup, name, type Piece } from './html.ts'
import { formatSpan } from './spans.ts'
import { day, type Light, LIGHT_WORDS, LIGHTS, moment, sign } from './words.ts'

/** Findings shown at the top; those of each set are in its own part as well. */
const MOST_FINDINGS = 12

export function overallLight(facts: PageFacts, sets: readonly SetHealth[]): Light {
  const { run, warnings } = facts
  return worst([
    ...sets.map(({ light }) => light),
    ...(sets.length === 0 ? [noneMatches(facts) ? 'unknown' as const : 'bad' as const] : []),
    ...(warnings.length > 0 ? ['attention' as const] : []),
    ...(run && !run.good ? [run.open ? 'attention' as const : 'bad' as const] : []),
  ])
}

/** The answer to "is everything all right?", the findings that speak against it, and the three figures that matter first. */
export function verdict(facts: PageFacts, sets: readonly SetHealth[]): Markup {
  const light = overallLight(facts, sets)
  return html`<section class="verdict ${light}" aria-labelledby="verdict">
<div class="answer"><svg class="sign ${light}" aria-hidden="true" focusable="false"><use href="#${light}"/></svg>
<div><h1 id="verdict">${titleOf(facts, sets, light)}</h1><p class="lead">${leadOf(facts, sets, light)}</p></div></div>
${findings(facts, sets)}
${sets.length > 0 && figures(facts, sets)}
</section>`
}

/** Only chosen backups are listed, and none was found: nothing is known of the others. */
export function noneMatches({ snapshots, chosen, elsewhere, run }: PageFacts): boolean {
  return snapshots.length === 0 && !run && (chosen === true || elsewhere === true)
}

function titleOf(facts: PageFacts, sets: readonly SetHealth[], light: Light): string {
  const { run } = facts
  if (noneMatches(facts)) return 'No backup matches'
  if (sets.length === 0) return 'There are no backups yet'
  if (run && !run.good) return `The last ${run.command} ${run.open ? 'could not be finished' : 'did not end well'}`
  return TITLES[light]
}

const TITLES: Readonly<Record<Light, string>> = {
  good: 'All is well', unknown: 'It cannot be told', attention: 'Something needs attention', bad: 'Not everything is all right',
}

function leadOf(facts: PageFacts, sets: readonly SetHealth[], light: Light): Piece {
  const { made, timeZone, chosen, keyed } = facts
  const now = new Date(made)
  if (noneMatches(facts)) return 'No backup is like those that were asked for. This report tells nothing about the others.'
  if (sets.length === 0) return 'Nothing could be restored from here. The first backup changes that.'
  const well = sets.filter((set) => set.light === 'good')
  if (light === 'good' || well.length === sets.length) {
    const age = formatAge(oldest(sets.map(({ newest }) => newest.time))!, now)
    const claim = sets.length === 1
      ? html`The newest backup of ${name(sets[0]!.set)} is verified, complete and ${age} old`
      : html`The newest backups of all ${sets.length} sets are verified and complete, the oldest of them is ${age} old`
    const since = sinceWhen(sets)
    const all = `all ${since.count.toLocaleString('en-US')} backups ${chosen ? 'shown ' : ''}since ${day(since.time, timeZone)}`
    return html`${claim}.${since.count > sets.length && ` So are ${all}.`}`
  }
  if (light === 'unknown' && (!keyed || !sets.every(isChecked))) {
    return 'Nothing speaks against the backups, but they could not be checked with a key.'
  }
  if (light === 'unknown') return 'Nothing speaks against the backups, but whether they are as new as they should be is not known.'
  return sets.length === 1
    ? html`The set ${name(sets[0]!.set)}: ${LIGHT_WORDS[sets[0]!.light]}.`
    : html`${well.length} of ${sets.length} sets ${well.length === 1 ? 'is' : 'are'} all right.`
}

function findings({ run, warnings }: PageFacts, sets: readonly SetHealth[]): Piece {
  const ofRun = run && !run.good ? [run.message, ...run.problems].map((text) => finding(run.open ? 'attention' : 'bad', text)) : []
  const ofSets = sets.flatMap((one, index) => one.findings.map(({ light, text }) => ({
    light, item: finding(light, html`${sets.length > 1 && html`<a href="#set-${index + 1}">${name(one.set)}</a>: `}${text}`),
  })))
  const worstFirst = LIGHTS.toReversed().flatMap((light) => ofSets.filter((one) => one.light === light).map(({ item }) => item))
  const all = [...ofRun, ...worstFirst, ...warnings.map((text) => finding('attention', text))]
  if (all.length === 0) return undefined
  const advice = run && !run.good ? run.advice.map((text) => html`<p class="advice">${text}</p>`) : []
  const more = all.length - MOST_FINDINGS
  const others = more > 0 && html`<p class="small">And ${formatCount(more, 'more finding')}; the parts of the sets have them.</p>`
  return html`<ul class="findings">${all.slice(0, MOST_FINDINGS)}</ul>${others}${advice}`
}

function finding(light: Light, text: Piece): Markup {
  return html`<li>${sign(light)}<div>${text}</div></li>`
}

/** Since when every backup was good, and how many that are. */
function sinceWhen(sets: readonly SetHealth[]): { time: string; count: number } {
  const broken = sets.filter(({ row, snapshots }) => row.length < snapshots.length)
  const time = broken.length > 0
    ? broken.map(({ row }) => row.at(-1)?.time ?? '').reduce((a, b) => (a > b ? a : b))
    : oldest(sets.map(({ snapshots }) => snapshots.at(-1)!.time))!
  return { time, count: sets.flatMap(({ snapshots }) => snapshots.filter((one) => one.time >= time && isGood(one))).length }
}

function oldest(times: readonly string[]): string | undefined {
  return times.toSorted()[0]
}

function figures(facts: PageFacts, sets: readonly SetHealth[]): Markup {
  return html`<dl class="figures">${[since(facts, sets), recovery(facts, sets), loss(facts, sets)].map(
    ([term, value, detail]) => html`<div><dt>${term}</dt><dd class="value">${value}</dd><dd class="detail">${detail}</dd></div>`,
  )}</dl>`
}

type Figure = [term: string, value: Piece, detail: Piece]

function since({ timeZone, keyed }: PageFacts, sets: readonly SetHealth[]): Figure {
  const ill = sets.filter(({ row }) => row.length === 0)
  if (!keyed || ill.some((set) => !isChecked(set))) return ['Good backups since', '–', 'Without its key no backup is checked.']
  if (ill.length > 0) {
    const last = ill.flatMap(({ good }) => good ?? []).map(({ time }) => time).toSorted()[0]
    const none = 'No backup of a set is verified and complete.'
    return ['Good backups since', 'not now', last === undefined ? none : html`The last good one is of ${moment(last, timeZone)}.`]
  }
  const { time, count } = sinceWhen(sets)
  const row = count === 1 ? 'one backup,' : `${count.toLocaleString('en-US')} in a row`
  return ['Good backups since', day(time, timeZone), `${row} verified and complete`]
}

function recovery({ made }: PageFacts, sets: readonly SetHealth[]): Figure {
  const measured = sets.flatMap((set) => (set.drilled ? [{ set, snapshot: set.drilled }] : []))
    .toSorted((a, b) => recoverySeconds(b.snapshot.drill) - recoverySeconds(a.snapshot.drill))
  const [first] = measured
  if (!first) return ['A restore takes', 'not measured', 'A restore drill measures it: verify with the level drill.']
  const missing = sets.length - measured.length
  const when = drillTime(first.snapshot)
  return ['A restore takes', formatSeconds(recoverySeconds(first.snapshot.drill)), [
    sets.length > 1 && html`${name(first.set.set)}, the slowest set; `,
    `${formatBytes(first.snapshot.drill!.bytes)} of rows and files compared in a drill`,
    when !== undefined && html` ${formatAge(when, new Date(made))} ago`, missing > 0 && `; ${formatCount(missing, 'set')} not measured`,
  ]]
}

/** When the drill was. */
export function drillTime({ proofs }: Pick<PageSnapshot, 'proofs'>): string | undefined {
  return proofs.find(({ level, result }) => level === 'drill' && result !== 'could not verify')?.time
}

function loss({ made, timeZone }: PageFacts, sets: readonly SetHealth[]): Figure {
  const without = sets.find(({ good }) => !good)
  const term = 'A failure now would lose'
  if (without && sets.every((set) => set.good ?? !isChecked(set))) return [term, '–', 'Without its key no backup is checked.']
  if (without) return [term, 'everything', html`No backup of ${name(without.set)} is verified and complete.`]
  const oldestGood = sets.toSorted((a, b) => a.good!.time.localeCompare(b.good!.time))[0]!
  const longest = Math.max(0, ...sets.map((set) => set.longest ?? 0))
  return [term, html`the last ${formatAge(oldestGood.good!.time, new Date(made))}`, [
    html`changes since ${moment(oldestGood.good!.time, timeZone)}${sets.length > 1 && html` of ${name(oldestGood.set)}`}`,
    longest > 0 && `; at most ${formatSpan(longest)} between two backups of the last 30 days`,
  ]]
}

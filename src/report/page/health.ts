import { isSafetySet } from '../../repository/safety-set.ts'
import { formatAge, formatCount, oneLine } from '../format.ts'
import { shellWord } from '../recipe.ts'
import type { PageFacts, PageSnapshot, TableLoss } from './facts.ts'
import { freshness } from './freshness.ts'
import { type Light, LIGHTS, minute } from './words.ts'

/** Something that the reader should know, as a sentence. */
export interface SetFinding {
  light: Light
  text: string
}

/** The state of a set of backups. Times between backups are milliseconds. */
export interface SetHealth {
  set: string
  /** Newest first. */
  snapshots: readonly PageSnapshot[]
  light: Light
  /** The worst first. */
  findings: readonly SetFinding[]
  newest: PageSnapshot
  /** The newest that was verified and that nothing contradicts. */
  good?: PageSnapshot
  /** So many of the newest in a row are good; the last of them is the oldest. */
  row: readonly PageSnapshot[]
  /** The middle one of the newest times between two backups. */
  usual?: number
  /** The longest time between two backups in the last 30 days, the time since the newest included. */
  longest?: number
  /** The newest drill that was measured. */
  drilled?: PageSnapshot
}

const DAY = 86_400_000
/** So many of the newest gaps tell how often backups are made. */
const GAPS = 7

/** The sets of backups, by their names; without those that restores make of what they replace, unless there are no others. */
export function setsIn({ snapshots, ...facts }: PageFacts): SetHealth[] {
  const own = snapshots.filter(({ set }) => !isSafetySet(set))
  const sets = Map.groupBy(own.length > 0 ? own : snapshots, ({ set }) => set)
  return [...sets].toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })).map(([set, all]) => healthOf(set, all, facts))
}

/** The worst of them. */
export function worst(lights: readonly Light[]): Light {
  return LIGHTS[Math.max(0, ...lights.map((light) => LIGHTS.indexOf(light)))]!
}

type Context = Omit<PageFacts, 'snapshots'>

function healthOf(set: string, snapshots: readonly PageSnapshot[], facts: Context): SetHealth {
  const newest = snapshots[0]!
  const good = snapshots.find(isGood)
  const end = snapshots.findIndex((snapshot) => !isGood(snapshot))
  const gaps = gapsOf(snapshots)
  const now = Date.parse(facts.made)
  const newestGaps = gaps.slice(0, GAPS).toSorted((a, b) => a - b)
  const usual = gaps.length > 1 ? newestGaps[Math.floor((newestGaps.length - 1) / 2)] : undefined
  const recent = snapshots.filter(({ time }) => now - Date.parse(time) <= 30 * DAY)
  const drilled = snapshots.find(({ drill }) => drill)
  const known = {
    set, snapshots, newest, row: end === -1 ? snapshots : snapshots.slice(0, end),
    ...(good && { good }), ...(usual !== undefined && { usual }), ...(drilled && { drilled }),
    ...(recent.length > 1 && { longest: Math.max(now - Date.parse(newest.time), ...gapsOf(recent)) }),
  }
  const findings = findingsOf(known, facts).toSorted((a, b) => LIGHTS.indexOf(b.light) - LIGHTS.indexOf(a.light))
  return { ...known, findings, light: worst(findings.map(({ light }) => light)) }
}

export function isGood({ verified, damage, partial, authentic }: PageSnapshot): boolean {
  return verified && authentic && damage === undefined && !partial
}

function gapsOf(snapshots: readonly PageSnapshot[]): number[] {
  return snapshots.slice(1).map(({ time }, index) => Date.parse(snapshots[index]!.time) - Date.parse(time))
}

function findingsOf(known: Omit<SetHealth, 'light' | 'findings'>, { made, keyed, ...facts }: Context): SetFinding[] {
  const { snapshots, newest, good } = known
  const now = new Date(made)
  const found: SetFinding[] = []
  const add = (light: Light, text: string): void => void found.push({ light, text })
  const instead = good
    ? ` The newest that is verified and complete is ${formatAge(good.time, now)} old.`
    : ' No backup of this set is verified and complete.'
  if (newest.damage !== undefined)
    add('bad', `The newest backup ${newest.failedDrill ? 'failed its drill' : 'is damaged'}: ${oneLine(newest.damage)}.${instead}`)
  else if (!keyed) add('unknown', 'No key was given, so nothing here is checked: it is what the store claims.')
  else if (!newest.authentic) add('unknown', 'The newest backup was made with another key, and could not be checked.')
  else if (newest.partial) add('attention', `The newest backup does not have everything${partsOf(newest)}.${instead}`)
  else if (!newest.verified) add(good ? 'attention' : 'bad', `The newest backup is not verified.${instead}`)
  const flawed = snapshots.slice(1).filter(({ damage }) => damage !== undefined)
  const older = (count: number): string => (
    snapshots.length === 2 ? 'The other backup' : `${formatCount(count, 'older backup')} of ${snapshots.length - 1}`)
  const damaged = flawed.filter(({ failedDrill }) => !failedDrill).length
  const both = snapshots.length === 2 && newest.damage !== undefined && !newest.failedDrill
  if (damaged > 0) add('attention', `${older(damaged)} ${damaged === 1 ? 'is' : 'are'} damaged${both ? ' as well' : ''}.`)
  if (flawed.length > damaged) add('attention', `${older(flawed.length - damaged)} failed a drill.`)
  const losses = Map.groupBy(facts.leaving.filter(({ set }) => set === known.set), ({ snapshot }) => snapshot)
  for (const [first, ...others] of losses.values()) add('attention', lossText(first!, others.length, facts))
  return [...found, ...freshness(known, now), ...drillFinding(snapshots, now)]
}

/** `others`: more tables whose rows the same snapshot has. */
function lossText(
  { set, source, table, rows, snapshot, time }: TableLoss,
  others: number,
  { destination, timeZone }: Pick<Context, 'destination' | 'timeZone'>,
): string {
  const also = others === 0 ? '' : `; ${formatCount(others, 'other table')} lost rows after it as well`
  return `The table ${oneLine(table)} of ${oneLine(source)} has ${formatCount(rows.now, 'row')}, and had ` +
    `${rows.before.toLocaleString('en-US')} in the backup of ${minute(time, timeZone)}${also}. That backup goes with the next prune, and ` +
    `none that stays has these rows. To keep it: lifeboat pin ${snapshot} --destination ${shellWord(destination)} --set ${shellWord(set)}`
}

const DRILL_WORDS = {
  failed: 'failed', 'could not verify': 'could not be finished', 'conditions not met': 'found data that is not as its owner expects',
} as const

function drillFinding(snapshots: readonly PageSnapshot[], now: Date): SetFinding[] {
  const drills = snapshots.flatMap(({ proofs }) => proofs.filter(({ level }) => level === 'drill'))
  const [last] = drills.toSorted((a, b) => b.time.localeCompare(a.time))
  if (!last || last.result === 'verified') return []
  const text = `The last restore drill, ${formatAge(last.time, now)} ago, ${DRILL_WORDS[last.result]}.`
  return [{ light: last.result === 'failed' ? 'bad' : 'attention', text }]
}

function partsOf({ sources = [] }: PageSnapshot): string {
  const parts = sources.flatMap(({ name, partial = [] }) => partial.map((text) => `${name}: ${text}`))
  return parts.length === 0 ? '' : ` (${oneLine(parts.join('; ')).slice(0, 300)})`
}

/** Whether a key could check at least one of its backups. */
export function isChecked({ snapshots }: Pick<SetHealth, 'snapshots'>): boolean {
  return snapshots.some(({ authentic }) => authentic)
}

/** Seconds that a recovery took in a drill. */
export function recoverySeconds(drill: PageSnapshot['drill']): number {
  return drill ? drill.seconds.download + drill.seconds.restore : 0
}

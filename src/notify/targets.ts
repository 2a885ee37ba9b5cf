import { InvalidValue } from '../error.ts'
import { nearest } from '../nearest.ts'
import { addressSecrets } from './address.ts'
import { notificationKinds } from './all.ts'
import { type Condition, CONDITIONS, type Place } from './kind.ts'
import type { Ending } from './notice.ts'

/** A place, and the ends of a run that it is told of. */
export interface NotifyTarget {
  place: Place
  on: readonly Condition[]
}

const MOST_TARGETS = 20

/** Reads targets, one a line: `slack:URL`, `slack:URL on failure, recovered`. Throws `InvalidValue`, which shows no address. */
export function parseTargets(text: string): NotifyTarget[] {
  const targets = targetLines(text).map(parseTarget)
  if (targets.length > MOST_TARGETS) throw new InvalidValue(`there are ${targets.length} targets, and ${MOST_TARGETS} are the most`)
  return targets
}

function parseTarget(line: string, index: number): NotifyTarget {
  const [, place = '', conditions] = /^(\S+)(?:\s+on\s+(.+))?$/.exec(line) ?? []
  const [, name = '', rest = ''] = /^([a-z]{1,20})(?::(.*))?$/s.exec(place) ?? []
  const kind = notificationKinds.find((one) => one.name === name)
  const where = `target ${index + 1}`
  if (kind === undefined) {
    const names = notificationKinds.map((one) => one.name)
    const near = nearest(name, names)
    const problem = place === '' ? 'cannot be read as KIND:ADDRESS, or KIND:ADDRESS on CONDITIONS' : 'is of an unknown service'
    throw new InvalidValue(`${where} ${problem}; ${near ? `did you mean ${near}?` : `the services are ${names.join(', ')}`}`)
  }
  const on = conditions === undefined ? (kind.on ?? ['failure']) : conditionsOf(conditions, `${where}, ${name}`)
  try {
    return { place: kind.parse(rest), on }
  } catch (error) {
    if (error instanceof InvalidValue) throw new InvalidValue(`${where}, ${name}: ${error.message}`)
    throw error
  }
}

function conditionsOf(text: string, where: string): Condition[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  return words.map((word) => {
    const condition = CONDITIONS.find((one) => one === word)
    if (condition === undefined) throw new InvalidValue(`${where}: unknown condition after on; supported: ${CONDITIONS.join(', ')}`)
    return condition
  })
}

/** The secret parts of targets, well-formed or not. */
export function targetSecrets(text: string): string[] {
  return [...new Set(targetLines(text).flatMap(addressSecrets))]
}

function targetLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
}

const TOLD_OF: Readonly<Record<Exclude<Condition, 'always'>, readonly Ending[]>> = {
  failure: ['failure', 'could not verify', 'stale', 'interrupted'],
  stale: ['stale'],
  recovered: ['recovered'],
  success: ['success', 'recovered'],
}

/** Whether a target is told of a run that ended so. */
export function isToldOf({ on }: Pick<NotifyTarget, 'on'>, status: Ending): boolean {
  return on.some((condition) => condition === 'always' || TOLD_OF[condition].includes(status))
}

/** Whether the end of the run before matters to a target. */
export function asksForRecovery(targets: readonly NotifyTarget[]): boolean {
  return targets.some(({ on }) => on.includes('recovered'))
}

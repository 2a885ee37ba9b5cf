import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { oneLine } from '../../report/format.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { isDatabase } from '../../sources/nouns.ts'
import type { Location, RestoreTarget } from '../../sources/source-kind.ts'
import { isAsked, type Replaced, requireConfirmed } from './confirm.ts'
import type { RestoreInputs } from './inputs.ts'
import { planAll, type Planned, type PlannedPart } from './plan.ts'
import type { RestoreResult } from './result.ts'

type Given = Pick<RestoreInputs, 'confirm' | 'dryRun' | 'verifyOnly'>

/** A source, and where it is restored. */
export interface Placed {
  source: SourceRecord
  into?: { target: RestoreTarget; location: Location }
}

/** A source that is verified: `plan`, which changes nothing, then `prepare`, for one source at a time, then `restore`. */
export interface Ready {
  plan?: () => Promise<PlannedPart>
  prepare: () => Promise<void>
  restore: () => Promise<Omit<RestoreResult, 'seconds'>>
}

/** Throws for a replacement that is not confirmed, unless somebody can be asked: that follows when it is known what is replaced. */
export async function requireGiven(parts: readonly Placed[], { confirm, dryRun }: Given, environment: Environment): Promise<void> {
  if (!dryRun && !isAsked(confirm, environment)) await requireConfirmed(replacedBy(parts), confirm, 'replaces', environment)
}

/**
 * Makes every check of every part before anything is changed. At a terminal, tells what is done to data that is there, and asks. The plans
 * are for a dry run.
 */
export async function beforeChange(
  parts: readonly (Placed & Ready)[], { confirm, dryRun, verifyOnly }: Given, atOnce: number, environment: Environment,
): Promise<Planned[]> {
  if (verifyOnly) return []
  const blind = parts.find(({ plan }) => plan === undefined)
  if (dryRun && blind)
    throw new LifeboatError(`dry-run is not for ${blind.source.name}, whose target or damage does not let the steps be known before`, {
      hint: marked`‹verify-only: true› reads and checks what would be restored.`, status: 2 })
  const plans = await planAll(parts, atOnce)
  if (dryRun) return plans.filter((plan) => plan !== undefined)
  for (const [index, { into }] of parts.entries()) {
    if (!into?.target.replaces) continue
    for (const step of plans[index]?.steps ?? []) environment.report.info(`${oneLine(into.target.name)}: ${oneLine(step)}`)
  }
  if (isAsked(confirm, environment)) await requireConfirmed(replacedBy(parts), confirm, 'replaces', environment)
  return []
}

function replacedBy(parts: readonly Placed[]): Replaced[] {
  return parts.flatMap(({ source, into }) =>
    (into?.target.replaces ? [{ noun: isDatabase(source) ? 'database' : 'volume', name: into.target.name }] : []))
}

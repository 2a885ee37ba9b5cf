import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { oneLine } from '../../report/format.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { isDatabase } from '../../sources/nouns.ts'
import { NothingWhole } from '../../sources/nothing-whole.ts'
import type { Location, RestoreTarget } from '../../sources/source-kind.ts'
import { missingLines } from './missing.ts'
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

/** A source that is verified: `plan`, which changes nothing, then `restore`. */
export interface Ready {
  plan?: () => Promise<PlannedPart>
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
): Promise<(Planned | NothingWhole)[]> {
  if (verifyOnly) return []
  const blind = parts.find(({ plan }) => plan === undefined)
  if (dryRun && blind)
    throw new LifeboatError(
      `dry-run cannot tell the steps of a restore of ${blind.source.name}: its target is of a kind that has no plan`,
      { hint: marked`‹verify-only: true› reads and checks what would be restored.`, status: 2 })
  const plans = await planAll(parts, atOnce)
  if (dryRun) return plans.filter((plan) => plan !== undefined)
  for (const [index, { into }] of parts.entries()) {
    const plan = plans[index]
    if (!into?.target.replaces || plan === undefined || plan instanceof NothingWhole) continue
    environment.report.info(`This restore into ${oneLine(into.target.name)} will:`)
    for (const [place, step] of plan.steps.entries()) environment.report.info(`  ${place + 1}. ${oneLine(step)}`)
    for (const line of missingLines(plan)) environment.report.info(`  ${line}`)
  }
  if (isAsked(confirm, environment)) {
    tellFromFile(environment)
    await requireConfirmed(replacedBy(parts), confirm, 'replaces', environment)
  }
  return []
}

/** Nobody agrees to values of the configuration file without seeing them. */
function tellFromFile({ configuration, report }: Environment): void {
  const path = configuration?.file?.path
  if (path === undefined) return
  const given = configuration!.origins.flatMap(({ name, from, value }) => {
    const line = from.startsWith(`${path}, line `) ? from.slice(path.length + 2) : undefined
    return line === undefined ? [] : [oneLine(`${name}${value === undefined ? '' : ` ${value}`} (${line})`)]
  })
  if (given.length > 0) report.info(`Of this restore, ${path} gives: ${given.join(', ')}`)
}

function replacedBy(parts: readonly Placed[]): Replaced[] {
  return parts.flatMap(({ source, into }) =>
    (into?.target.replaces ? [{ noun: isDatabase(source) ? 'database' : 'volume', name: into.target.name }] : []))
}

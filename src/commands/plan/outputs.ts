import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { encodePlan } from '../../inputs/plan.ts'
import type { PlannedItem, PlanResult } from './result.ts'

/** The value of `strategy.matrix`: an item for each job. Databases and volumes are named; how they are reached is not in it. */
export function matrixOf(result: PlanResult): string {
  return JSON.stringify({ include: matrixItems(result) })
}

function matrixItems({ plan, jobs }: PlanResult) {
  return jobs.map(({ job, size, items }) => ({
    job, size, plan,
    databases: items.filter(({ noun }) => noun === 'database').map(databaseName),
    volumes: items.filter(({ noun }) => noun === 'volume').map(({ name }) => name),
  }))
}

function databaseName({ server, name }: PlannedItem): string | [string, string] {
  return server === undefined ? name : [server, name]
}

/** The plan for the action verdict. */
export function planOutput({ plan: id, time, jobs }: PlanResult): string {
  return encodePlan({ id, time, jobs: jobs.map(({ items }) => items.map(({ set }) => set)) })
}

/** Characters of a matrix: the outputs of a job have 1 MB at most, and a character counts twice. */
const LONGEST_MATRIX = 450_000
/** Bytes of an input, which a step gets as an environment variable: Linux takes 128 KiB, with its name. */
const LONGEST_INPUT = 128 * 1024 - 1024

/** Throws if GitHub would not pass the outputs on: that would be noticed late, or never. */
export function requirePassable(result: PlanResult, { report }: Pick<Environment, 'report'>): void {
  const [matrix, plan] = [matrixOf(result), planOutput(result)]
  const parts = matrixItems(result).map((item) => Buffer.byteLength(JSON.stringify(item, null, 2)))
  if (matrix.length > LONGEST_MATRIX || plan.length > LONGEST_INPUT) {
    throw new LifeboatError(
      `the plan is too large for GitHub: a matrix of ${matrix.length} characters (at most ${LONGEST_MATRIX}), ` +
        `and a plan of ${plan.length} (at most ${LONGEST_INPUT})`,
      { hint: marked`Divide the databases over several workflows: ‹databases: a*› in one, ‹databases: b*› in the next.` },
    )
  }
  if (Math.max(...parts) > LONGEST_INPUT) {
    throw new LifeboatError(`the share of one job is too large for GitHub: ${Math.max(...parts)} bytes, at most ${LONGEST_INPUT}`, {
      hint: marked`Raise ‹max-jobs›.`,
    })
  }
  // GitHub drops such an output with a warning, and the matrix would be empty.
  if (![matrix, plan].some((text) => report.findsSecret?.(text))) return
  throw new LifeboatError('a part of the plan is equal to a secret of this step, and GitHub passes on no output with a secret in it', {
    hint: 'A password or user that is also the name of a database? Change the password; a secret that is a common word hides nothing.',
  })
}

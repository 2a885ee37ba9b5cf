import { asJson, type CommandDefinition } from '../command.ts'
import { inputs, type PlanInputs } from './inputs.ts'
import { matrixOf, planOutput } from './outputs.ts'
import { plan as run } from './plan.ts'
import { planHeadline as headline, planSummary as summary, planText as text } from './report.ts'
import type { PlanResult } from './result.ts'

export const plan = {
  name: 'plan',
  purpose: 'Divide the databases of servers, and volumes, evenly over the jobs of a matrix.',
  inputs,
  run,
  headline,
  text,
  summary,
  outputs: {
    outcome: { help: 'done or failed.', value: () => 'done' },
    matrix: {
      help: 'For strategy.matrix, by fromJSON: an item for each job. The job gives it to the action backup as part.',
      value: matrixOf,
    },
    plan: { help: 'For the action verdict in the last job.', value: planOutput },
    jobs: { help: 'How many jobs there are.', value: ({ jobs }) => `${jobs.length}` },
    result: asJson('The plan as JSON: the items of each job with their sizes, and what is left out.'),
  },
} as const satisfies CommandDefinition<PlanInputs, PlanResult>

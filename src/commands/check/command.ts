import { asJson, type CommandDefinition } from '../command.ts'
import { check as run } from './check.ts'
import { type CheckInputs, inputs } from './inputs.ts'
import { checkHeadline as headline, checkSummary as summary, checkText as text, worstOf } from './report.ts'
import type { CheckResult } from './result.ts'

export const check = {
  name: 'check',
  purpose: 'Check that the backups are fresh: fail, or keep an issue open, if the newest verified one is too old.',
  inputs,
  run,
  status: ({ problems }) => (problems.length > 0 ? 1 : 0),
  problems: ({ problems }) => problems,
  copies: ({ stores = [] }) => stores.map(({ name, problems, problem }) => ({
    store: name, found: problems, ...(problem !== undefined && { problem }),
  })),
  notice: (result) => ({
    ...(outcomeOf(result) === 'stale' && { status: 'stale' as const, found: worstOf(result) }), advice: result.advice,
  }),
  headline,
  text,
  summary,
  outputs: {
    outcome: {
      help: 'fresh or stale; failed if that could not be determined.',
      value: outcomeOf,
    },
    problems: { help: 'How many of the conditions are not met.', value: ({ problems }) => `${problems.length}` },
    'issue-url': {
      help: 'The issue that was opened, updated or closed; empty when there was none.',
      value: ({ issue }) => issue?.url ?? '',
    },
    result: asJson('Everything that was found, as JSON.'),
  },
} as const satisfies CommandDefinition<CheckInputs, CheckResult>

/** Of several destinations, those that could not be looked at are problems, and not stale. */
function outcomeOf({ problems, stores = [] }: CheckResult): 'fresh' | 'stale' | 'failed' {
  if (problems.length === 0) return 'fresh'
  return problems.length > stores.filter(({ problem }) => problem !== undefined).length ? 'stale' : 'failed'
}

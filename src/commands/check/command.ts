import { asJson, type CommandDefinition } from '../command.ts'
import { check as run } from './check.ts'
import { type CheckInputs, inputs } from './inputs.ts'
import { checkHeadline as headline, checkSummary as summary, checkText as text } from './report.ts'
import type { CheckResult } from './result.ts'

export const check = {
  name: 'check',
  purpose: 'Check that the backups are fresh: fail, or keep an issue open, if the newest verified one is too old.',
  inputs,
  run,
  status: ({ problems }) => (problems.length > 0 ? 1 : 0),
  problems: ({ problems }) => problems,
  notice: ({ problems, advice }) => ({ ...(problems.length > 0 && { status: 'stale' }), advice }),
  headline,
  text,
  summary,
  outputs: {
    outcome: {
      help: 'fresh or stale; failed if that could not be determined.',
      value: ({ problems }) => (problems.length > 0 ? 'stale' : 'fresh'),
    },
    problems: { help: 'How many of the conditions are not met.', value: ({ problems }) => `${problems.length}` },
    'issue-url': {
      help: 'The issue that was opened, updated or closed; empty when there was none.',
      value: ({ issue }) => issue?.url ?? '',
    },
    result: asJson('Everything that was found, as JSON.'),
  },
} as const satisfies CommandDefinition<CheckInputs, CheckResult>

import type { CommandDefinition } from '../command.ts'
import { configCheck as run } from './check.ts'
import { type ConfigCheckInputs, inputs } from './inputs.ts'
import { configCheckHeadline as headline, configCheckText as text, problemsIn } from './report.ts'
import type { ConfigCheckResult } from './result.ts'

export const configCheck = {
  name: 'config check',
  purpose: 'Check a configuration file, and list what each command gets from it.',
  inputs,
  run,
  judgesConfiguration: true,
  status: ({ problems }) => (problems.length > 0 ? 1 : 0),
  problems: problemsIn,
  headline,
  text,
} as const satisfies CommandDefinition<ConfigCheckInputs, ConfigCheckResult>

import type { CommandDefinition } from '../command.ts'
import { forget as run } from './forget.ts'
import { type ForgetInputs, inputs } from './inputs.ts'
import { forgetHeadline as headline, forgetText as text } from './report.ts'
import type { ForgetResult } from './result.ts'

export const forget = {
  name: 'forget',
  purpose: 'Delete snapshots by their ids; a later prune deletes what only they needed.',
  inputs,
  run,
  headline,
  text,
} as const satisfies CommandDefinition<ForgetInputs, ForgetResult>

import type { CommandDefinition } from '../command.ts'
import { inputs, type ShowInputs } from './inputs.ts'
import { showHeadline as headline, showText as text } from './report.ts'
import type { ShowResult } from './result.ts'
import { show as run } from './show.ts'

export const show = {
  name: 'show',
  purpose: 'Show everything that is known of one snapshot.',
  inputs,
  run,
  headline,
  text,
} as const satisfies CommandDefinition<ShowInputs, ShowResult>

import type { Inputs } from '../../inputs.ts'
import type { CommandDefinition } from '../command.ts'
import * as label from './label.ts'
import { labelHeadline as headline, labelText as text } from './report.ts'
import type { LabelResult } from './result.ts'

export const pin = {
  name: 'pin',
  purpose: 'Pin a snapshot: no retention policy deletes it.',
  run: label.pin,
  headline,
  text,
} as const satisfies CommandDefinition<Inputs['pin'], LabelResult>

export const unpin = {
  name: 'unpin',
  purpose: 'Let a retention policy decide about a snapshot again.',
  run: label.unpin,
  headline,
  text,
} as const satisfies CommandDefinition<Inputs['unpin'], LabelResult>

export const tag = {
  name: 'tag',
  purpose: 'Add tags to a snapshot, or take some away.',
  run: label.tag,
  headline,
  text,
} as const satisfies CommandDefinition<Inputs['tag'], LabelResult>

import type { CommandDefinition } from '../command.ts'
import { inputs, type LabelInputs, tagInputs, type TagInputs } from './inputs.ts'
import * as label from './label.ts'
import { labelHeadline as headline, labelText as text } from './report.ts'
import type { LabelResult } from './result.ts'

export const pin = {
  name: 'pin',
  purpose: 'Pin a snapshot: no retention policy deletes it.',
  inputs,
  run: label.pin,
  headline,
  text,
} as const satisfies CommandDefinition<LabelInputs, LabelResult>

export const unpin = {
  name: 'unpin',
  purpose: 'Let a retention policy decide about a snapshot again.',
  inputs,
  run: label.unpin,
  headline,
  text,
} as const satisfies CommandDefinition<LabelInputs, LabelResult>

export const tag = {
  name: 'tag',
  purpose: 'Add tags to a snapshot, or remove some.',
  inputs: tagInputs,
  run: label.tag,
  headline,
  text,
} as const satisfies CommandDefinition<TagInputs, LabelResult>

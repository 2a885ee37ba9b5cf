import type { CommandDefinition } from '../command.ts'
import { diff as run } from './diff.ts'
import { type DiffInputs, inputs } from './inputs.ts'
import { diffHeadline as headline, diffText as text } from './report.ts'
import type { DiffResult } from './result.ts'

export const diff = {
  name: 'diff',
  purpose: 'Show the differences between two snapshots: tables, settings, files, and how much content they share.',
  inputs,
  run,
  headline,
  text,
} as const satisfies CommandDefinition<DiffInputs, DiffResult>

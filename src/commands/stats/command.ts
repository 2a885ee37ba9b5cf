import type { CommandDefinition } from '../command.ts'
import { inputs, type StatsInputs } from './inputs.ts'
import { statsHeadline as headline, statsText as text } from './report.ts'
import type { StatsResult } from './result.ts'
import { stats as run } from './stats.ts'

export const stats = {
  name: 'stats',
  purpose: 'Show how much space the snapshots of a store take, how much is saved, and how that grows.',
  inputs,
  run,
  headline,
  text,
} as const satisfies CommandDefinition<StatsInputs, StatsResult>

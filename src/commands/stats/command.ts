import type { Inputs } from '../../inputs.ts'
import type { CommandDefinition } from '../command.ts'
import { statsHeadline as headline, statsText as text } from './report.ts'
import type { StatsResult } from './result.ts'
import { stats as run } from './stats.ts'

export const stats = {
  name: 'stats',
  purpose: 'Tell what the snapshots of a store take, what is saved, and how that grows.',
  run,
  headline,
  text,
} as const satisfies CommandDefinition<Inputs['stats'], StatsResult>

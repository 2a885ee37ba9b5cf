import { asJson, type CommandDefinition } from '../command.ts'
import { inputs, type PruneInputs } from './inputs.ts'
import { prune as run } from './prune.ts'
import { pruneHeadline as headline, pruneSummary as summary, pruneText as text } from './report.ts'
import { type PruneResult, redactedObstacles } from './result.ts'

export const prune = {
  name: 'prune',
  purpose: 'Delete the backups of a set that a retention policy does not keep, and unreferenced data.',
  inputs,
  run,
  redact: redactedObstacles,
  notice: ({ set }) => ({ set }),
  headline,
  text,
  summary,
  outputs: {
    outcome: { help: 'done or failed.', value: () => 'done' },
    deleted: { help: 'How many snapshots were deleted, or would be.', value: ({ deleted }) => `${deleted}` },
    kept: { help: 'How many snapshots of the set stay.', value: ({ kept }) => `${kept}` },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    result: asJson('Everything about the prune, as JSON.'),
  },
} as const satisfies CommandDefinition<PruneInputs, PruneResult>

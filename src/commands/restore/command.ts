import { asJson, type CommandDefinition } from '../command.ts'
import { inputs, type RestoreInputs } from './inputs.ts'
import { isComplete, restoredName, restoreHeadline as headline, restoreSummary as summary, restoreText as text } from './report.ts'
import { restore as run } from './restore.ts'
import type { RestoreResult } from './result.ts'

export const restore = {
  name: 'restore',
  purpose: 'Restore a PostgreSQL database from a backup, after checking that the backup is whole.',
  inputs,
  run,
  status: (result) => (isComplete(result) ? 0 : 1),
  problems: (result) => [
    ...(result.missing ?? []).map((what) => `${restoredName(result)} was restored in part: ${what} is damaged in the backup, and missing`),
    ...result.errors.map((error) => `${restoredName(result)} was restored into ${result.target} with an error: ${error}`),
  ],
  redact: (result, apply) => ({
    ...result,
    errors: apply(result.errors),
    ...(result.passedOver && { passedOver: apply(result.passedOver) }),
  }),
  headline,
  text,
  summary,
  outputs: {
    outcome: { help: 'done or failed.', value: (result) => (isComplete(result) ? 'done' : 'failed') },
    'snapshot-id': { help: 'The id of the snapshot that was restored.', value: ({ snapshot }) => snapshot },
    restored: { help: 'How many archive entries were restored.', value: ({ restored }) => `${restored}` },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    result: asJson('Everything about the restore, as JSON.'),
  },
} as const satisfies CommandDefinition<RestoreInputs, RestoreResult>

import { asJson, type CommandDefinition } from '../command.ts'
import { backup as run } from './backup.ts'
import { type BackupInputs, inputs } from './inputs.ts'
import { fallback } from './newest.ts'
import { backupHeadline as headline, backupText as text } from './report.ts'
import type { BackupResult } from './result.ts'
import { type PruneAfterBackup, redactedObstacles } from '../prune/result.ts'
import { failsByShrinking, shrinkProblem } from './shrink.ts'
import { backupSummary as summary } from './summary.ts'

export const backup = {
  name: 'backup',
  purpose: 'Back up PostgreSQL databases, encrypted and storing only what changed, and verify the backup by reading it back.',
  inputs,
  run,
  status: (result) => (succeeded(result) ? 0 : 1),
  problems: (result) => [...(failsByShrinking(result) ? [shrinkProblem(result)] : []), ...failures(result)],
  redact: (result, apply) => ({
    ...result,
    sources: result.sources.map((one) => ({ ...one, ...(one.warnings && { warnings: apply(one.warnings) }) })),
    destinations: result.destinations.map((one) => ({
      ...one,
      ...(one.problem !== undefined && { problem: apply([one.problem])[0]! }),
      ...(one.prune && { prune: redactedPrune(one.prune, apply) }),
    })),
  }),
  headline,
  text,
  summary,
  outputs: {
    outcome: {
      help: 'done or failed. With a snapshot-id there is a backup even when it failed: a destination lacks it, or something shrank.',
      value: (result) => (succeeded(result) ? 'done' : 'failed'),
    },
    'snapshot-id': { help: 'The id of the new snapshot.', value: ({ snapshot }) => snapshot },
    size: { help: 'Bytes read from the databases.', value: ({ size }) => `${size}` },
    added: { help: 'Bytes added to the store.', value: ({ added }) => `${added}` },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    verified: { help: 'The level at which the snapshot was read back: none, list or read.', value: ({ verified }) => verified },
    shrunk: {
      help: 'How many databases, tables, volumes and buckets lost more than half since the backup before.',
      value: ({ shrunk }) => `${shrunk.length}`,
    },
    result: asJson('Everything about the backup, as JSON.'),
  },
  afterFailure: fallback,
} as const satisfies CommandDefinition<BackupInputs, BackupResult>

function redactedPrune(prune: PruneAfterBackup, apply: (texts: string[]) => string[]): PruneAfterBackup {
  return 'skipped' in prune ? { skipped: apply([prune.skipped])[0]! } : redactedObstacles(prune, apply)
}

function succeeded(result: BackupResult): boolean {
  return result.complete && !failsByShrinking(result)
}

function failures({ destinations }: BackupResult): string[] {
  return destinations.flatMap(({ name, problem }) => (problem === undefined ? [] : [`The backup is not in ${name}: ${problem}`]))
}

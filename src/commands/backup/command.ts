import type { PageCopy } from '../../report/page/facts.ts'
import { LEVELS } from '../../repository/levels.ts'
import { asJson, type CommandDefinition } from '../command.ts'
import { backup as run } from './backup.ts'
import { type BackupInputs, hasOwnSets, inputs } from './inputs.ts'
import { fallback } from './newest.ts'
import { backupNotice as notice } from './notice.ts'
import { notResumedProblem } from './not-resumed.ts'
import { backupHeadline as headline, backupText as text } from './report.ts'
import type { BackupResult } from './result.ts'
import { type PruneAfterBackup, redactedObstacles } from '../prune/result.ts'
import { setsHeadline, setsProblems, setsSummary, setsText } from './sets-report.ts'
import type { AnyBackupResult, SetsResult } from './sets-result.ts'
import { backupSets } from './sets.ts'
import { failsByShrinking, shrinkProblem } from './shrink.ts'
import { backupSummary as summary } from './summary.ts'

export const backup = {
  name: 'backup',
  purpose: 'Back up PostgreSQL databases, encrypted and storing only what changed, and verify the backup.',
  inputs,
  run: (inputs, environment): Promise<AnyBackupResult> => hasOwnSets(inputs) ? backupSets(inputs, environment) : run(inputs, environment),
  status: (result) => (problemsOf(result).length === 0 ? 0 : 1),
  problems: problemsOf,
  redact: (result, apply) => ('sets' in result ? redactedSets(result, apply) : redacted(result, apply)),
  notice,
  copies: copiesOf,
  headline: (result) => ('sets' in result ? setsHeadline(result) : headline(result)),
  text: (result, context) => ('sets' in result ? setsText(result, context) : text(result, context)),
  summary: (result, context) => ('sets' in result ? setsSummary(result) : summary(result, context)),
  outputs: {
    outcome: {
      help:
        'done or failed. With a snapshot-id there is a backup even when it failed: a destination lacks it, something shrank, or ' +
        'post-command failed.',
      value: (result) => (problemsOf(result).length === 0 ? 'done' : 'failed'),
    },
    'snapshot-id': {
      help: 'The id of the new snapshot; with part or databases, those of all sets, one per line.',
      value: (result) => snapshotsOf(result).map(({ snapshot }) => snapshot).join('\n'),
    },
    size: { help: 'Bytes read from the databases.', value: ({ size }) => `${size}` },
    added: { help: 'Bytes added to the store.', value: ({ added }) => `${added}` },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    verified: {
      help: 'The level at which the snapshot was read back: none, list, read or drill. Of several, the lowest.',
      value: (result) => snapshotsOf(result).map(({ verified }) => verified).toSorted((a, b) => rank(a) - rank(b))[0] ?? 'none',
    },
    shrunk: {
      help: 'How many databases, tables, volumes and buckets lost more than half since the backup before.',
      value: (result) => `${snapshotsOf(result).reduce((sum, { shrunk }) => sum + shrunk.length, 0)}`,
    },
    attested: {
      help: 'With attest: true or false, whether each verification was attested. Otherwise empty.',
      value: (result) => {
        const told = snapshotsOf(result).flatMap(({ destinations }) => destinations.flatMap(({ attested }) => attested ?? []))
        return told.length === 0 ? '' : `${told.every(Boolean)}`
      },
    },
    result: asJson('Everything about the backup, as JSON.'),
  },
  afterFailure: async (inputs, started, environment) => (hasOwnSets(inputs) ? '' : fallback(inputs, started, environment)),
} as const satisfies CommandDefinition<BackupInputs, AnyBackupResult>

type OneResult = Omit<BackupResult, 'recent' | 'largest' | 'recentTotal'>

/** The snapshot, or those of all sets. */
function snapshotsOf(result: AnyBackupResult): OneResult[] {
  return 'sets' in result ? result.sets.flatMap(({ backup }) => backup ?? []) : [result]
}

/** Of several sets, a store that lacks one of them lacks the backup. */
function copiesOf(result: AnyBackupResult): PageCopy[] {
  const stores = Map.groupBy(snapshotsOf(result).flatMap(({ destinations }) => destinations), ({ name }) => name)
  return [...stores].map(([store, all]) => {
    const problem = all.find((one) => one.problem !== undefined)?.problem
    const lowest = all.map(({ verified }) => verified).toSorted((a, b) => rank(a) - rank(b))[0]!
    return { store, verified: lowest, ...(problem !== undefined && { problem }) }
  })
}

/** From the lowest; none is -1. */
function rank(level: OneResult['verified']): number {
  return level === 'none' ? -1 : LEVELS.indexOf(level)
}

function problemsOf(result: AnyBackupResult): string[] {
  if ('sets' in result) return setsProblems(result)
  return [
    ...(failsByShrinking(result) ? [shrinkProblem(result)] : []),
    ...(result.complete ? [] : failures(result)),
    ...notResumedProblem(result),
  ]
}

type Apply = (texts: string[]) => string[]

function redactedSets(result: SetsResult, apply: Apply): SetsResult {
  return {
    ...result,
    ...redactedReason(result, apply),
    sets: result.sets.map((one) => ({
      ...one,
      ...(one.problem !== undefined && { problem: apply([one.problem])[0]! }),
      ...(one.backup && { backup: redacted(one.backup, apply) }),
    })),
  }
}

function redacted<R extends OneResult>(result: R, apply: Apply): R {
  return {
    ...result,
    ...redactedReason(result, apply),
    sources: result.sources.map((one) => ({ ...one, ...(one.warnings && { warnings: apply(one.warnings) }) })),
    destinations: result.destinations.map((one) => ({
      ...one,
      ...(one.problem !== undefined && { problem: apply([one.problem])[0]! }),
      ...(one.prune && { prune: redactedPrune(one.prune, apply) }),
    })),
  }
}

function redactedReason({ notResumed }: Pick<BackupResult, 'notResumed'>, apply: Apply): Pick<BackupResult, 'notResumed'> {
  return notResumed === undefined ? {} : { notResumed: apply([notResumed])[0]! }
}

function redactedPrune(prune: PruneAfterBackup, apply: Apply): PruneAfterBackup {
  return 'skipped' in prune ? { skipped: apply([prune.skipped])[0]! } : redactedObstacles(prune, apply)
}

function failures({ destinations }: BackupResult): string[] {
  return destinations.flatMap(({ name, problem }) => (problem === undefined ? [] : [`The backup is not in ${name}: ${problem}`]))
}

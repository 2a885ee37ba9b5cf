import { asJson, type CommandDefinition } from '../command.ts'
import { type AfterSwap, afterSwap, afterSwapErrors, afterSwapHeadline, afterSwapSummary, afterSwapText } from './after-swap.ts'
import { inputs, type RestoreInputs } from './inputs.ts'
import { dryAllHeadline, dryAllSummary, dryAllText, dryHeadline, drySummary, dryText, isDry, isDryAll } from './plan-report.ts'
import { allHeadline, allProblems, allSummary, allText } from './all-report.ts'
import { restoredName, restoreHeadline, restoreProblems, restoreSummary, restoreText } from './report.ts'
import { restore as restoreOne, restoreAll, targetOf } from './restore.ts'
import { leftLines } from '../../report/failure.ts'
import { oneLine } from '../../report/format.ts'
import type { RestoreAllResult, RestoreResult } from './result.ts'
import type { Safety } from './safety.ts'

type AnyResult = RestoreResult | RestoreAllResult | AfterSwap

const isAfter = (result: AnyResult): result is AfterSwap => result.mode === 'undo' || result.mode === 'forget-old'
const isAll = (result: AnyResult): result is RestoreAllResult => 'sources' in result

function problemsOf(result: AnyResult): string[] {
  if (isAll(result)) return allProblems(result)
  return isAfter(result) ? afterSwapErrors(result) : restoreProblems(result)
}

function redacted<R extends RestoreResult>(result: R, apply: (texts: string[]) => string[]): R {
  return { ...result, errors: apply(result.errors), ...redactedRest(result, apply) }
}

function redactedRest(
  { passedOver, notResumed }: Pick<RestoreResult, 'passedOver' | 'notResumed'>, apply: (texts: string[]) => string[],
): Pick<RestoreResult, 'passedOver' | 'notResumed'> {
  return {
    ...(passedOver && { passedOver: apply(passedOver) }), ...(notResumed !== undefined && { notResumed: apply([notResumed])[0]! }),
  }
}

function redactedAll(result: RestoreAllResult, apply: (texts: string[]) => string[]): RestoreAllResult {
  const sources = result.sources.map((part) =>
    'problem' in part
      ? { ...part, problem: apply([part.problem])[0]!, ...(part.hint !== undefined && { hint: apply([part.hint])[0]! }) }
      : redacted(part, apply))
  return { ...result, sources, ...redactedRest(result, apply) }
}

/** The snapshot of a restore; none of undo and forget-old. */
const snapshotOf = (result: AnyResult): string => (isAfter(result) ? '' : result.snapshot)

function statesOf(result: AnyResult): string[] {
  if (isAll(result)) {
    return result.sources.flatMap((part) =>
      ('problem' in part ? leftLines([{ source: restoredName(part), ...part }]) : statesOf(part)))
  }
  const after = 'after' in result ? result.after : undefined
  return after ? [oneLine(`${after.now} Before: ${after.before} To go back: ${after.back}`)] : []
}

function restoredEntries(result: AnyResult): number {
  if (isAll(result)) return result.sources.reduce((sum, part) => sum + ('problem' in part ? 0 : part.restored), 0)
  return isAfter(result) ? 0 : result.restored
}

function safetyBackups(result: AnyResult): Safety[] {
  const parts = isAll(result) ? result.sources : [result]
  return parts.flatMap((part) => ('safety' in part ? (part.safety ?? []) : []))
}

export const restore = {
  name: 'restore',
  purpose: 'Restore a PostgreSQL database from a backup, after checking that the backup is whole.',
  inputs,
  run: (given, environment) => {
    if (given.afterSwap !== undefined)
      return afterSwap(
        given.afterSwap, targetOf('database', given, { ...environment, clientInstall: given.clientInstall }), given, environment,
      )
    return given.all.wanted ? restoreAll(given, environment) : restoreOne(given, environment)
  },
  status: (result) => (problemsOf(result).length > 0 ? 1 : 0),
  problems: problemsOf,
  redact: (result, apply) => {
    if (isAll(result)) return redactedAll(result, apply)
    if (isAfter(result)) return 'errors' in result ? { ...result, errors: apply(result.errors) } : result
    return redacted(result, apply)
  },
  notice: (result) => (isAfter(result) ? {} : { set: result.set, snapshot: result.snapshot }),
  headline: (result) => {
    if (isAll(result)) return isDryAll(result) ? dryAllHeadline(result) : allHeadline(result)
    return isAfter(result) ? afterSwapHeadline(result) : isDry(result) ? dryHeadline(result) : restoreHeadline(result)
  },
  text: (result, context) => {
    if (isAll(result)) return isDryAll(result) ? dryAllText(result, context) : allText(result, context)
    return isAfter(result) ? afterSwapText(result, context) : isDry(result) ? dryText(result, context) : restoreText(result, context)
  },
  summary: (result, context) => {
    if (isAll(result)) return isDryAll(result) ? dryAllSummary(result, context) : allSummary(result, context)
    if (isAfter(result)) return afterSwapSummary(result, context)
    return isDry(result) ? drySummary(result, context) : restoreSummary(result, context)
  },
  outputs: {
    outcome: { help: 'done or failed.', value: (result) => (problemsOf(result).length > 0 ? 'failed' : 'done') },
    'snapshot-id': { help: 'The id of the snapshot that was restored.', value: snapshotOf },
    'old-database': {
      help: 'The name under which the database from before is kept: of mode swap and undo.',
      value: (result) => ('swapped' in result ? result.swapped?.kept ?? '' : ''),
    },
    state: {
      help: 'The content of the target now and before, where that is, and how to go back to it, in sentences.',
      value: (result) => statesOf(result).join('\n'),
      ofFailure: ({ left }) => leftLines(left).join('\n'),
    },
    'safety-snapshot-id': {
      help: 'The id of the safety backup, if one was made; with all, those of all targets, one per line.',
      value: (result) => safetyBackups(result).map(({ snapshot }) => snapshot).join('\n'),
      ofFailure: ({ left = [] }) => left.flatMap(({ safety }) => safety?.snapshot ?? []).join('\n'),
    },
    restored: { help: 'How many archive entries were restored.', value: (result) => (isAfter(result) ? '' : `${restoredEntries(result)}`) },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    result: asJson('Everything about the restore, as JSON.'),
  },
} as const satisfies CommandDefinition<RestoreInputs, AnyResult>

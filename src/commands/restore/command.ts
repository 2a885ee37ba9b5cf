import { asJson, type CommandDefinition } from '../command.ts'
import { type AfterSwap, afterSwap, afterSwapErrors, afterSwapHeadline, afterSwapSummary, afterSwapText } from './after-swap.ts'
import { inputs, type RestoreInputs } from './inputs.ts'
import { isComplete, restoredName, restoreHeadline, restoreSummary, restoreText } from './report.ts'
import { restore as restoreOne, targetOf } from './restore.ts'
import type { RestoreResult } from './result.ts'

const isAfter = (result: RestoreResult | AfterSwap): result is AfterSwap => result.mode === 'undo' || result.mode === 'forget-old'

function errorsOf(result: RestoreResult | AfterSwap): string[] {
  return isAfter(result) ? afterSwapErrors(result) : result.errors
}

function failed(result: RestoreResult | AfterSwap): boolean {
  return isAfter(result) ? errorsOf(result).length > 0 : !isComplete(result)
}

export const restore = {
  name: 'restore',
  purpose: 'Restore a PostgreSQL database from a backup, after checking that the backup is whole.',
  inputs,
  run: (given, environment) =>
    given.afterSwap === undefined
      ? restoreOne(given, environment)
      : afterSwap(given.afterSwap, targetOf('database', given, { ...environment, clientInstall: given.clientInstall })),
  status: (result) => (failed(result) ? 1 : 0),
  problems: (result) =>
    isAfter(result)
      ? errorsOf(result)
      : [
        ...(result.missing ?? []).map(
          (what) => `${restoredName(result)} was restored in part: ${what} is damaged in the backup, and missing`,
        ),
        ...result.errors.map((error) => `${restoredName(result)} was restored into ${result.target} with an error: ${error}`),
      ],
  redact: (result, apply) => {
    if (isAfter(result)) return 'errors' in result ? { ...result, errors: apply(result.errors) } : result
    return { ...result, errors: apply(result.errors), ...(result.passedOver && { passedOver: apply(result.passedOver) }) }
  },
  headline: (result) => (isAfter(result) ? afterSwapHeadline(result) : restoreHeadline(result)),
  text: (result, context) => (isAfter(result) ? afterSwapText(result, context) : restoreText(result, context)),
  summary: (result, context) => (isAfter(result) ? afterSwapSummary(result, context) : restoreSummary(result, context)),
  outputs: {
    outcome: { help: 'done or failed.', value: (result) => (failed(result) ? 'failed' : 'done') },
    'snapshot-id': { help: 'The id of the snapshot that was restored.', value: (result) => (isAfter(result) ? '' : result.snapshot) },
    'old-database': {
      help: 'The name under which the database from before is kept: of mode swap and undo.',
      value: (result) => ('swapped' in result ? result.swapped?.kept ?? '' : ''),
    },
    restored: { help: 'How many archive entries were restored.', value: (result) => (isAfter(result) ? '' : `${result.restored}`) },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    result: asJson('Everything about the restore, as JSON.'),
  },
} as const satisfies CommandDefinition<RestoreInputs, RestoreResult | AfterSwap>

import { rmSync } from 'node:fs'
import { backup } from './commands/backup.ts'
import { list } from './commands/list.ts'
import { newestBackup } from './commands/newest.ts'
import { restore } from './commands/restore.ts'
import type { BackupResult, ListResult, RestoreResult, VerifyResult } from './commands/results.ts'
import { verify } from './commands/verify.ts'
import type { Environment } from './environment.ts'
import { messageOf } from './error.ts'
import { parseInputs, type Command, type Inputs } from './inputs.ts'
import type { Newest } from './report/newest.ts'
import type { Report } from './report/report.ts'
import type { Redaction } from './report/redaction.ts'
import { backupSummary, listSummary, restoreSummary, verifySummary, type SummaryContext } from './report/summary.ts'
import { destinationText } from './stores/open.ts'
import { backupText, listText, restoreText, verifyText, type TextContext } from './report/text.ts'

/** A command that ran to its end, which is not yet to say that all is well: `statusOf` tells. */
export type Outcome = (
  | { command: 'backup'; result: BackupResult }
  | { command: 'restore'; result: RestoreResult }
  | { command: 'verify'; result: VerifyResult }
  | { command: 'list'; result: ListResult }
) & { shown: { destination: string; timeZone: string } }

/** Checks the raw inputs and runs the command with them. */
export async function dispatch(command: Command, raw: Readonly<Record<string, string | undefined>>, environment: Environment): Promise<Outcome> {
  const { variables } = environment
  if (command === 'backup') {
    const inputs = parseInputs(command, raw, variables)
    return { command, result: await backup(inputs, environment), shown: shown(inputs) }
  }
  if (command === 'restore') {
    const inputs = parseInputs(command, raw, variables)
    return { command, result: await restore(inputs, environment), shown: shown(inputs) }
  }
  if (command === 'verify') {
    const inputs = parseInputs(command, raw, variables)
    return { command, result: await verify(inputs, environment), shown: shown(inputs) }
  }
  const inputs = parseInputs(command, raw, variables)
  return { command, result: await list(inputs, environment), shown: shown(inputs) }
}

function shown(inputs: Inputs[Command]): Outcome['shown'] {
  return { destination: destinationText(inputs.destination), timeZone: inputs.timezone }
}

const newestLimitMs = 5000

/** Nothing more is said about a run that has failed already. */
const silence: Report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined }

/** What there is to fall back on after a backup that failed; never throws, and takes no longer than 5 s. */
export async function newestBefore(command: Command, raw: Readonly<Record<string, string | undefined>>, given: Pick<Environment, 'variables' | 'temporary'>, before: Date): Promise<Newest | undefined> {
  if (command !== 'backup') return undefined
  const inputs = parseInputs(command, raw, given.variables)
  const { set } = inputs
  const controller = new AbortController()
  const { promise: late, resolve } = Promise.withResolvers<Newest>()
  // A timer of its own, for one of AbortSignal would not keep the process from ending before its time.
  const limit = setTimeout(() => {
    controller.abort()
    resolve({ set, unknown: `the store did not answer within ${newestLimitMs / 1000} s` })
  }, newestLimitMs)
  try {
    return await Promise.race([newestBackup(inputs, before, { ...given, signal: controller.signal, report: silence, now: () => new Date() }), late])
  } catch (error) {
    return { set, unknown: messageOf(error) }
  } finally {
    clearTimeout(limit)
    rmSync(given.temporary, { recursive: true, force: true })
  }
}

/** The exit status: 0 done, 1 failed, 3 could not verify. */
export function statusOf(outcome: Outcome): 0 | 1 | 3 {
  if (outcome.command === 'verify') return ({ verified: 0, failed: 1, 'could not verify': 3 } as const)[outcome.result.result]
  if (outcome.command === 'restore') return outcome.result.errors.length > 0 ? 1 : 0
  return 0
}

/** The outcome with what other programs said redacted; all else in a result is figures and names that are no secrets. */
export function redacted(outcome: Outcome, redaction: Redaction): Outcome {
  const apply = (texts: string[]): string[] => texts.map((text) => redaction.apply(text))
  if (outcome.command === 'restore') return { ...outcome, result: { ...outcome.result, errors: apply(outcome.result.errors) } }
  if (outcome.command === 'verify') return { ...outcome, result: { ...outcome.result, problems: apply(outcome.result.problems) } }
  return outcome
}

/** For a person at a terminal or reading a log. */
export function textOf(outcome: Outcome, program: string): string {
  const context: TextContext = { program, ...outcome.shown }
  if (outcome.command === 'backup') return backupText(outcome.result, context)
  if (outcome.command === 'restore') return restoreText(outcome.result, context)
  if (outcome.command === 'verify') return verifyText(outcome.result, context)
  return listText(outcome.result, context)
}

/** For the summary of a workflow's job. */
export function summaryOf(outcome: Outcome, about: Omit<SummaryContext, keyof Outcome['shown']>): string {
  const context: SummaryContext = { ...about, ...outcome.shown }
  if (outcome.command === 'backup') return backupSummary(outcome.result, context)
  if (outcome.command === 'restore') return restoreSummary(outcome.result, context)
  if (outcome.command === 'verify') return verifySummary(outcome.result, context)
  return listSummary(outcome.result, context)
}

import { rmSync } from 'node:fs'
import { backup } from './commands/backup/backup.ts'
import { check } from './commands/check/check.ts'
import { copy } from './commands/copy/copy.ts'
import { doctor } from './commands/doctor/doctor.ts'
import { diff } from './commands/diff/diff.ts'
import { forget } from './commands/forget/forget.ts'
import { pin, tag, unpin } from './commands/label/label.ts'
import { keyAdd, keyList, keyRemove } from './commands/key-files/key-files.ts'
import { list } from './commands/list/list.ts'
import { newestBackup } from './commands/backup/newest.ts'
import { prune } from './commands/prune/prune.ts'
import { restore } from './commands/restore/restore.ts'
import { show } from './commands/show/show.ts'
import { stats } from './commands/stats/stats.ts'
import type { Results } from './commands/results.ts'
import type { SnapshotVerified } from './commands/verify/result.ts'
import { verify } from './commands/verify/verify.ts'
import type { Environment } from './environment.ts'
import { messageOf } from './error.ts'
import { parseInputs, type Command, type Inputs } from './inputs.ts'
import { copyHeadline, copyText } from './commands/copy/report.ts'
import { doctorHeadline, doctorText } from './commands/doctor/report.ts'
import { diffHeadline, diffText } from './commands/diff/report.ts'
import { forgetHeadline, forgetText } from './commands/forget/report.ts'
import { labelHeadline, labelText } from './commands/label/report.ts'
import { listHeadline, listText } from './commands/list/report.ts'
import { showHeadline, showText } from './commands/show/report.ts'
import { statsHeadline, statsText } from './commands/stats/report.ts'
import { checkHeadline, checkText } from './commands/check/report.ts'
import { keyAddText, keyListText, keyRemoveText } from './commands/key-files/report.ts'
import type { Newest } from './commands/backup/newest-found.ts'
import type { Report } from './report/report.ts'
import { pruneHeadline, pruneText } from './commands/prune/report.ts'
import { failsByShrinking, shrinkProblem } from './report/shrink.ts'
import type { Redaction } from './report/redaction.ts'
import { backupHeadline, backupText, restoreHeadline, restoreText, type TextContext } from './report/text.ts'
import { verifyHeadline, verifyText } from './commands/verify/report.ts'

/** How a command is run, how it ended, and how a person at a terminal or reading a log is told. */
interface Handling<C extends Command> {
  run(inputs: Inputs[C], environment: Environment): Promise<Results[C]>
  /** The exit status of a command that ran to its end: 0, done, unless told; 1 failed, 3 could not verify. */
  status?(result: Results[C]): 0 | 1 | 3
  /** What is wrong where the status is not 0. */
  problem?(result: Results[C]): string
  /** The result with what other programs said redacted; all else in a result is figures and names that are no secrets. */
  redact?(result: Results[C], apply: (texts: string[]) => string[]): Results[C]
  /** What was achieved, in one line. */
  headline(result: Results[C]): string
  text(result: Results[C], context: TextContext): string
}

function redactedProblems<T extends SnapshotVerified>(result: T, apply: (texts: string[]) => string[]): T {
  return { ...result, problems: apply(result.problems), sources: result.sources.map((source) => ({ ...source, problems: apply(source.problems) })) }
}

const handlings: { readonly [C in Command]: Handling<C> } = {
  backup: {
    run: backup,
    status: (result) => (result.complete && !failsByShrinking(result) ? 0 : 1),
    problem: (result) => [...(failsByShrinking(result) ? [shrinkProblem(result)] : []), ...result.destinations.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`]))].join('\n'),
    redact: (result, apply) => ({ ...result, destinations: result.destinations.map((one) => ({ ...one, ...(one.problem !== undefined && { problem: apply([one.problem])[0]! }) })) }),
    headline: backupHeadline,
    text: backupText,
  },
  restore: {
    run: restore,
    status: ({ errors }) => (errors.length > 0 ? 1 : 0),
    problem: ({ errors }) => errors.slice(0, 10).join('\n'),
    redact: (result, apply) => ({ ...result, errors: apply(result.errors) }),
    headline: restoreHeadline,
    text: restoreText,
  },
  verify: {
    run: verify,
    status: ({ result }) => ({ verified: 0, failed: 1, 'could not verify': 3 } as const)[result],
    problem: ({ problems, result }) => problems.slice(0, 10).join('\n') || result,
    redact: (result, apply) => ({ ...redactedProblems(result, apply), ...(result.snapshots && { snapshots: result.snapshots.map((one) => redactedProblems(one, apply)) }) }),
    headline: verifyHeadline,
    text: verifyText,
  },
  prune: { run: prune, headline: pruneHeadline, text: pruneText },
  copy: {
    run: copy,
    status: ({ snapshots }) => (snapshots.some(({ outcome }) => outcome === 'failed') ? 1 : 0),
    problem: ({ snapshots }) => snapshots.flatMap(({ snapshot, problem }) => (problem === undefined ? [] : [`${snapshot}: ${problem}`])).join('\n'),
    redact: (result, apply) => ({ ...result, snapshots: result.snapshots.map((one) => ({ ...one, ...(one.problem !== undefined && { problem: apply([one.problem])[0]! }) })) }),
    headline: copyHeadline,
    text: copyText,
  },
  doctor: {
    run: doctor,
    status: ({ checks }) => (checks.some(({ state }) => state === 'bad') ? 1 : 0),
    problem: ({ checks }) => checks.filter(({ state }) => state === 'bad').map(({ about, check, says }) => `${about}: ${check}: ${says}`).join('\n'),
    redact: (result, apply) => ({ checks: result.checks.map((check) => ({ ...check, says: apply([check.says])[0]!, ...(check.fix !== undefined && { fix: apply([check.fix])[0]! }) })) }),
    headline: doctorHeadline,
    text: doctorText,
  },
  check: {
    run: check,
    status: ({ problems }) => (problems.length > 0 ? 1 : 0),
    problem: ({ problems }) => problems.join('\n'),
    headline: checkHeadline,
    text: checkText,
  },
  list: { run: list, headline: listHeadline, text: listText },
  show: { run: show, headline: showHeadline, text: showText },
  diff: { run: diff, headline: diffHeadline, text: diffText },
  pin: { run: pin, headline: labelHeadline, text: labelText },
  unpin: { run: unpin, headline: labelHeadline, text: labelText },
  tag: { run: tag, headline: labelHeadline, text: labelText },
  forget: { run: forget, headline: forgetHeadline, text: forgetText },
  stats: { run: stats, headline: statsHeadline, text: statsText },
  'key list': { run: keyList, headline: ({ keys, store }) => `${keys.length} key files in ${store}`, text: keyListText },
  'key add': { run: keyAdd, headline: keyAddText, text: keyAddText },
  'key remove': { run: keyRemove, headline: keyRemoveText, text: keyRemoveText },
}

/** A command that ran to its end, which is not yet to say that all is well: `statusOf` tells. */
export interface Outcome<C extends Command = Command> {
  command: C
  result: Results[C]
  shown: Pick<TextContext, 'destination' | 'timeZone' | 'format'>
}

/** Checks the raw inputs and runs the command with them. */
export async function dispatch<C extends Command>(command: C, raw: Readonly<Record<string, string | undefined>>, environment: Environment): Promise<Outcome<C>> {
  const inputs = parseInputs(command, raw, environment.variables)
  const { destination, timezone, format }: Pick<Inputs[Command], 'destination' | 'timezone'> & Pick<TextContext, 'format'> = inputs
  // Of several, the first is the one that recipes name.
  const first = Array.isArray(destination) ? destination[0] : destination
  return { command, result: await handlings[command].run(inputs, environment), shown: { destination: first.text, timeZone: timezone, ...(format && { format }) } }
}

export function statusOf<C extends Command>({ command, result }: Outcome<C>): 0 | 1 | 3 {
  return handlings[command].status?.(result) ?? 0
}

export function problemOf<C extends Command>({ command, result }: Outcome<C>): string {
  return handlings[command].problem?.(result) ?? 'failed'
}

export function redacted<C extends Command>(outcome: Outcome<C>, redaction: Redaction): Outcome<C> {
  const { command, result } = outcome
  return { ...outcome, result: handlings[command].redact?.(result, (texts) => texts.map((text) => redaction.apply(text))) ?? result }
}

export function headlineOf<C extends Command>({ command, result }: Outcome<C>): string {
  return handlings[command].headline(result)
}

/** For a person at a terminal or reading a log. */
export function textOf<C extends Command>({ command, result, shown }: Outcome<C>, program: string): string {
  return handlings[command].text(result, { program, ...shown })
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

import { rmSync } from 'node:fs'
import type { Environment, Report } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import type { SummaryContext, TextContext } from '../report/context.ts'
import { isGood } from '../notify/notice.ts'
import { failureOf } from '../report/failure.ts'
import type { Redaction } from '../report/redaction.ts'
import type { Destination } from '../stores/destination.ts'
import { type Action, type Command, definitionOf, type Inputs, notifyInputs, parseInputs, refusedInputs, type Results } from './all.ts'
import type { Status } from './command.ts'
import type { Ended } from './notice.ts'
import { notifying, notifyOfRefusal } from './notify.ts'

type Raw = Readonly<Record<string, string | undefined>>

/** A command that ran to its end, whether or not all is well: `statusOf` says. */
export interface CommandOutcome<C extends Command = Command> {
  command: C
  result: Results[C]
  shown: Pick<TextContext, 'destination' | 'timeZone' | 'format' | 'columns'>
}

/** The slices that texts need, whichever the command. */
interface Shown {
  timeZone?: string
  destination?: Destination
  destinations?: readonly [Destination, ...Destination[]]
  format?: TextContext['format']
  columns?: TextContext['columns']
  readonly [other: string]: unknown
}

/** Checks the raw inputs and runs the command with them. */
export async function runCommand<C extends Command>(command: C, raw: Raw, environment: Environment): Promise<CommandOutcome<C>> {
  const inputs = await checkedInputs(command, raw, environment)
  const { destination, destinations, timeZone = 'UTC', format, columns }: Shown = inputs
  // Of several destinations, the first is the one that recipes name.
  const first = destination ?? destinations?.[0]
  const result = await notifying(command, inputs, environment, () => run(command, inputs, environment), (ended) => endOf(command, ended))
  return { command, result, shown: { destination: first?.text ?? '', timeZone, ...(format && { format }), ...(columns && { columns }) } }
}

/** A run that is refused is told as a failure, where nobody is there to see it: there will be no backup. */
async function checkedInputs<C extends Command>(command: C, raw: Raw, environment: Environment): Promise<Inputs[C]> {
  try {
    return parseInputs(command, raw, environment.variables)
  } catch (error) {
    const inputs = environment.ask === undefined && notifyInputs(command, raw, environment.variables)
    if (inputs) await notifyOfRefusal(command, error, inputs, environment)
    throw error
  }
}

function endOf<C extends Command>(command: C, result: Results[C]): Ended {
  const definition = definitionOf(command)
  const { status = ENDINGS[definition.status?.(result) ?? 0], advice = [], ...facts } = definition.notice?.(result) ?? {}
  const problems = isGood({ status }) ? [] : definition.problems?.(result) ?? []
  const [message = definition.headline(result), ...others] = problems
  return { ...facts, status, message, problems: others, advice }
}

const ENDINGS = { 0: 'success', 1: 'failure', 3: 'could not verify' } as const

async function run<C extends Command>(command: C, inputs: Inputs[C], environment: Environment): Promise<Results[C]> {
  try {
    return await definitionOf(command).run(inputs, environment)
  } catch (error) {
    const status = error instanceof LifeboatError ? error.status : 1
    if (environment.signal.aborted || status !== 1 || isFailure(command, error)) throw error
    const { message, hint } = failureOf(error)
    throw new LifeboatError(message, { ...(hint !== undefined && { hint }), cause: error, status: 3 })
  }
}

/** Whether an error means that the command failed, and not only that it could not find out what it was asked. */
export function isFailure(command: Command, error: unknown): boolean {
  return definitionOf(command).isFinding?.(error) ?? true
}

export function statusOf<C extends Command>({ command, result }: CommandOutcome<C>): Status {
  return definitionOf(command).status?.(result) ?? 0
}

export function problemsOf<C extends Command>({ command, result }: CommandOutcome<C>): string[] {
  return definitionOf(command).problems?.(result) ?? ['failed']
}

/**
 * Without known secrets in the texts of other programs, and without keys to stores in any text: stores, databases and volumes may hold
 * some. Texts are spelled for the entry.
 */
export function redacted<C extends Command>(outcome: CommandOutcome<C>, redaction: Redaction): CommandOutcome<C> {
  const { command, result } = outcome
  if (givesSecret(outcome)) return outcome
  const clean = definitionOf(command).redact?.(result, (texts) => texts.map((text) => redaction.apply(text))) ?? result
  return { ...outcome, result: redaction.applyToResult(clean) }
}

/** Whether the result is a secret that the user asked for. */
export function givesSecret({ command }: Pick<CommandOutcome, 'command'>): boolean {
  return definitionOf(command).givesSecret === true
}

/** Whether standard output has data that the user asked for, and no room for the text. */
export function wroteData<C extends Command>({ command, result }: CommandOutcome<C>): boolean {
  return definitionOf(command).wroteData?.(result) ?? false
}

export function headlineOf<C extends Command>({ command, result }: CommandOutcome<C>): string {
  return definitionOf(command).headline(result)
}

/** For a person at a terminal or reading a log. */
export function textOf<C extends Command>({ command, result, shown }: CommandOutcome<C>, program: string, width?: number): string {
  return definitionOf(command).text(result, { program, ...shown, ...(width !== undefined && { width }) })
}

export function summaryOf<A extends Action>(
  { command, result, shown }: CommandOutcome<A>,
  context: Pick<SummaryContext, 'action' | 'reference' | 'now'>,
): string {
  return definitionOf(command).summary?.(result, { ...shown, ...context }) ?? ''
}

/** The values of an action's outputs. */
export function outputValues<A extends Action>({ command, result }: CommandOutcome<A>): Record<string, string> {
  return Object.fromEntries(Object.entries(definitionOf(command).outputs ?? {}).map(([name, output]) => [name, output.value(result)]))
}

/** More for the summary of an action that failed, in Markdown. */
export async function afterFailure(
  action: Action,
  raw: Raw,
  given: Pick<Environment, 'variables' | 'temporary'>,
  redaction: Redaction,
  started: Date,
): Promise<string | undefined> {
  const definition = definitionOf(action)
  if (!definition.afterFailure) return undefined
  const inputs = refusedInputs(action, raw, given.variables)
  if (!inputs) return undefined
  // Nothing else is reported about a run that has failed already.
  const report: Report = {
    info: () => undefined,
    warning: () => undefined,
    progress: () => undefined,
    mask: () => undefined,
    redacted: (text) => redaction.apply(text),
  }
  try {
    return await definition.afterFailure(
      inputs,
      started,
      { ...given, signal: new AbortController().signal, report, now: () => new Date() },
    )
  } finally {
    rmSync(given.temporary, { recursive: true, force: true })
  }
}

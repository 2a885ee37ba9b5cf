import { rmSync } from 'node:fs'
import type { Environment, Report } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import type { SummaryContext, TextContext } from '../report/context.ts'
import { isGood } from '../notify/notice.ts'
import { type Failure, failureOf } from '../report/failure.ts'
import type { Redaction } from '../report/redaction.ts'
import type { Destination } from '../stores/destination.ts'
import { type Action, type Command, definitionOf, type Inputs, notifyInputs, parseInputs, refusedInputs, type Results } from './all.ts'
import type { Output, Status } from './command.ts'
import { configured } from './configured.ts'
import type { Ended } from './notice.ts'
import { notifying, notifyOfRefusal } from './notify.ts'
import { type Reported, reporting } from './reporting.ts'

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

/** Checks the raw inputs and runs the command with them. `known` is told all of them, with those of the configuration file. */
export async function runCommand<C extends Command>(
  command: C, raw: Raw, given: Environment, known: (all: Raw) => void = () => undefined,
): Promise<CommandOutcome<C>> {
  const { inputs, environment } = await checkedInputs(command, raw, given, known)
  const { destination, destinations, timeZone = 'UTC', format, columns }: Shown = inputs
  // Of several destinations, the first is the one that recipes name.
  const first = destination ?? destinations?.[0]
  const result = await reporting(command, inputs, environment, (watched) => notifying(
    command, inputs, watched, () => run(command, inputs, watched), (ended) => endOf(command, ended),
  ), reportedOf(command))
  return { command, result, shown: { destination: first?.text ?? '', timeZone, ...(format && { format }), ...(columns && { columns }) } }
}

/** A run that is refused is told as a failure, where nobody is there to see it: there will be no backup. */
async function checkedInputs<C extends Command>(
  command: C, raw: Raw, environment: Environment, known: (all: Raw) => void,
): Promise<{ inputs: Inputs[C]; environment: Environment }> {
  let given = raw
  try {
    const { raw: all, configuration, problem } = await configured(command, raw, environment)
    given = all
    if (problem) throw problem
    known(all)
    return { inputs: parseInputs(command, all, environment.variables), environment: { ...environment, configuration } }
  } catch (error) {
    const inputs = environment.ask === undefined && notifyInputs(command, given, environment.variables)
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

function reportedOf<C extends Command>(command: C): Reported<Results[C]> {
  const definition = definitionOf(command)
  return {
    ended: (result) => ({ ...endOf(command, result), copies: definition.copies?.(result) ?? [] }),
    ...(definition.listed && { listed: definition.listed.bind(definition) }),
  }
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

/** The same of a run that threw. */
export function failureOutputs(command: Action, failure: Failure): Record<string, string> {
  const outputs = Object.entries<Output<never>>(definitionOf(command).outputs ?? {})
  const known = outputs.map(([name, output]) => [name, output.ofFailure?.(failure)])
  return Object.fromEntries(known.filter(([, value]) => value))
}

/** More for the summary of an action that failed, in Markdown. `all`: its inputs, with those of the configuration file. */
export async function afterFailure(
  action: Action,
  all: Raw,
  given: Pick<Environment, 'variables' | 'temporary'>,
  redaction: Redaction,
  started: Date,
): Promise<string | undefined> {
  const definition = definitionOf(action)
  if (!definition.afterFailure) return undefined
  // Nothing else is reported about a run that has failed already.
  const report: Report = {
    info: () => undefined,
    warning: () => undefined,
    progress: () => undefined,
    mask: () => undefined,
    redacted: (text) => redaction.apply(text),
  }
  const environment = { ...given, signal: new AbortController().signal, report, now: () => new Date() }
  try {
    const inputs = refusedInputs(action, all, given.variables)
    return inputs && await definition.afterFailure(inputs, started, environment)
  } finally {
    rmSync(given.temporary, { recursive: true, force: true })
  }
}

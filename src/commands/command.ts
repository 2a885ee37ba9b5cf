import type { Environment } from '../environment.ts'
import type { CommandInputs } from '../inputs/group.ts'
import type { Failure } from '../report/failure.ts'
import type { SummaryContext, TextContext } from '../report/context.ts'
import type { PageCopy } from '../report/page/facts.ts'
import type { ListResult } from './list/result.ts'
import type { NoticeFacts } from './notice.ts'

/** 0 done, 1 failed, 3 could not verify. */
export type Status = 0 | 1 | 3

/** An output of an action. */
export interface Output<Result> {
  help: string
  value(result: Result): string
  /** Of a run that threw, where there is something to tell all the same. */
  ofFailure?(failure: Failure): string
}

/** A command: what it is given, its work, its result, and how people are told. One folder, one line in `all.ts`. */
export interface CommandDefinition<Given extends object, Result extends object> {
  readonly name: string
  /** In one sentence. */
  readonly purpose: string
  readonly inputs: CommandInputs<Given>
  run(given: Given, environment: Environment): Promise<Result>
  /**
   * Of a command that looks for damage: whether an error that `run` throws is damage that was found. Any other leaves open whether there is
   * some, and ends with status 3, could not verify. Default: every error is a failure.
   */
  isFinding?(error: unknown): boolean
  /** The exit status of a command that ran to its end. Default: 0. */
  status?(result: Result): Status
  /** The reasons where the status is not 0: each makes sense apart from the others, in the list of annotations of a workflow run. */
  problems?(result: Result): string[]
  /** The result with texts of other programs redacted; the rest of a result is figures, and names that are no secrets. */
  redact?(result: Result, apply: (texts: string[]) => string[]): Result
  /** The result is a key, which the user asked for: nothing is redacted. For commands of the terminal alone. */
  readonly givesSecret?: true
  /** It asks for its inputs itself: no configuration file gives them. */
  readonly readsNoConfiguration?: true
  /** Faults of the configuration file are its result, and no errors. */
  readonly judgesConfiguration?: true
  /** Whether data went to standard output: the text goes to standard error then. For commands of the terminal alone. */
  wroteData?(result: Result): boolean
  /** The achievement in one line. */
  headline(result: Result): string
  /** Facts of it that messages to people tell; of a command with the input `notify`. */
  notice?(result: Result): NoticeFacts
  /** The stores that were to get the backup of the run, or to be checked, in the order of the inputs; of a command with `report`. */
  copies?(result: Result): PageCopy[]
  /** Of a command that lists backups: the list, of which the report is made. Without a report it fails, because that was its work. */
  listed?(result: Result): ListResult
  /** For a person at a terminal or reading a log; not yet redacted. */
  text(result: Result, context: TextContext): string
  /** A job summary in Markdown, below the limit that GitHub sets; the result must be redacted already. */
  summary?(result: Result, context: SummaryContext): string
  /** A command that has outputs is offered as an action. `outcome` and `result` are in all of them. */
  readonly outputs?: Readonly<Record<string, Output<Result>>>
  /** More for the summary of an action that failed, in Markdown: redacted, within some seconds, and without throwing. */
  afterFailure?(given: Given, started: Date, environment: Environment): Promise<string>
}

/** The version of the form of results and errors as JSON: a new one if members change their meaning or go. */
export const JSON_SCHEMA = 1

/** A result, or `{ error }`, as it is printed or put out as JSON. */
export function withSchema<T extends object>(value: T): { schema: number } & T {
  return { schema: JSON_SCHEMA, ...value }
}

/** The output `result`. */
export function asJson(help: string): Output<object> {
  return { help, value: (result) => JSON.stringify(withSchema(result)) }
}

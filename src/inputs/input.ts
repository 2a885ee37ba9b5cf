import type { z } from 'zod'
import type { Variables } from '../environment.ts'

/** One input: the source of action.yml, of the help at a terminal, of the reference and of the checks. */
export interface Input {
  /** One or two plain sentences. */
  readonly help: string
  /** A good value, read after "expected": `a whole number from 1 to 19`. */
  readonly expected: string
  readonly example: string
  readonly schema: z.ZodType<unknown, string>
  readonly required?: true
  readonly default?: string
  /** The default in action.yml alone, an expression that the runner evaluates. */
  readonly actionDefault?: string
  /** Never shown; may be read from standard input or an environment variable. */
  readonly secret?: true
  /** More parts to mask than are found in every value; the value may not be well-formed. */
  readonly secrets?: (text: string) => string[]
  /** The environment variable that is used if the input is not given. */
  readonly variable?: string
  /** The variable may have a line for each of several values, for commands that take all; an input of one value gets the first. */
  readonly linesInVariable?: true
  /** The value if neither the input nor its variable is given; before `default`. */
  readonly fallback?: (variables: Variables) => string | undefined
  /** At a terminal, may be given without its name; several such inputs in the order of the rows, of which the last may be a list. */
  readonly positional?: true
  /** `-` is one of its values; for others it means, at a terminal, that the value is on standard input. */
  readonly dash?: true
  /** A letter that stands for the name at a terminal: `d` for `-d`. */
  readonly short?: string
  /** May be given more than once at a terminal. */
  readonly list?: true
  /** `true` or `false`; at a terminal the name alone means `true`. */
  readonly flag?: true
  /** In a configuration file, it may be a map: its entries become lines of name, this separator and value. */
  readonly pairs?: '=' | ': '
  /** In a configuration file, only the section of its command gives it: elsewhere it means something else, or is not expected. */
  readonly own?: true
  /** About one call of the command: no configuration file gives it. Positional inputs are the same. */
  readonly once?: true
  /** Names code that is run. Only a configuration file that the user named gives it, and no variable is expanded in it. */
  readonly code?: true
  /** Names a file that is written, whatever is there. Only a configuration file that the user named gives it. */
  readonly writes?: true
  /** The value is used on this machine alone, so that a configuration file that was found may take it from any variable. */
  readonly unsent?: true
}

/** Inputs by their dashed names, in the order in which they are shown. */
export type Rows = Readonly<Record<string, Input>>

export type Value<I extends Input> = I extends { required: true } | { default: string }
  ? z.output<I['schema']>
  : z.output<I['schema']> | undefined
export type Values<R extends Rows> = { readonly [Name in keyof R]: Value<R[Name]> }

/** For hints: a workflow passes a secret that it has not as an empty text. */
export const EMPTY_SECRET =
  'If a workflow gives it from a secret: there is no secret of that name, or this run does not get it (another environment, a fork).'

import type { Variables } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { keysIn, looksSecret, SHORTEST_SECRET } from '../report/redaction.ts'
import { type CommandInputs, readGroups, rowsOf } from './group.ts'
import { EMPTY_SECRET, type Input } from './input.ts'
import { nearest } from '../nearest.ts'
import { secretsGiven, secretsOf } from './secrets.ts'

type Raw = Readonly<Record<string, string | undefined>>

/**
 * Checks the raw inputs of a command. An empty string means not given, as GitHub passes it.
 * Throws a `LifeboatError` of status 2 that names the input; the value of a secret is never part of it.
 */
export function parse<Slices extends object>(command: string, inputs: CommandInputs<Slices>, raw: Raw, variables: Variables): Slices {
  const slices = parseEach(command, inputs, raw, variables)
  inputs.check?.(slices, variables)
  return slices
}

/** The same, but for the checks of several inputs together: one that these ask for, a database for instance, may be missing. */
export function parseEach<Slices extends object>(command: string, inputs: CommandInputs<Slices>, raw: Raw, variables: Variables): Slices {
  return readGroups(inputs, parseRows(command, rowsOf(inputs), raw, variables))
}

/** Checks the raw inputs one by one; those that nobody gave, and that have no default, are undefined. */
function parseRows(
  command: string,
  rows: readonly [name: string, input: Input][],
  raw: Raw,
  variables: Variables,
): Record<string, unknown> {
  const names = rows.map(([name]) => name)
  for (const name of Object.keys(raw)) if (!names.includes(name)) throw unknownInput(command, name, names)
  const given = rows.map(([name, input]) => ({ name, input, text: givenText(name, input, raw, variables) }))
  const missing = given.find(({ input, text }) => input.positional && input.required && text === undefined)
  if (missing) {
    const places = given.flatMap(({ name, input }) => (input.positional ? [name.toUpperCase()] : []))
    throw missingInput(`${command} ${places.join(' ')}: ${missing.name}`, missing.input, variables)
  }
  const secrets = secretsGiven(rows, raw, variables)
  return Object.fromEntries(given.map(({ name, input, text }) => [name, parseInput(name, input, text, secrets, variables)]))
}

function givenText(name: string, input: Input, raw: Raw, variables: Variables): string | undefined {
  return raw[name] || (input.variable && variables[input.variable]) || input.fallback?.(variables) || input.default
}

/** Checks the text of one input; undefined if nobody gave it. `secrets`: those of all inputs, which no error quotes. */
export function parseInput(
  name: string, input: Input, text: string | undefined, secrets: readonly string[] = [], variables: Variables = {},
): unknown {
  if (text === undefined) {
    if (input.required) throw missingInput(name, input, variables)
    return undefined
  }
  const expected = expectedText(input)
  if (!input.secret && keysIn(text.replaceAll(/\s*\n\s*/g, '')).length > 0) {
    throw new LifeboatError(
      `${name}: the value has a secret key in it, and this input is not kept secret`,
      { hint: marked`${expected} Keys are given as ‹encryption-key›.`, status: 2 },
    )
  }
  const parsed = input.schema.safeParse(text)
  if (parsed.success) return parsed.data
  const problem = parsed.error.issues[0]?.message ?? 'the value is invalid'
  const shown = input.secret || !quotesSecret(problem, text, input, secrets)
  throw new LifeboatError(
    `${name}: ${shown ? problem : 'the value is invalid, and not shown, because it has a secret in it, or looks like one'}`,
    // Words that the problem lists already are not listed again.
    { hint: shown && problem.includes(' is not one of ') ? `For example: ${input.example}.` : expected, status: 2 },
  )
}

/** Whether an error about the text of an input quotes a secret, or the beginning of one. The parsers of secret inputs quote nothing. */
function quotesSecret(problem: string, text: string, input: Input, secrets: readonly string[]): boolean {
  const quoted = /".*"/s.exec(problem)?.[0]
  if (quoted === undefined) return false
  return (
    secretsOf(input, text).some((secret) => quoted.includes(secret.slice(0, 4))) ||
    secrets.some((secret) => secret.length >= SHORTEST_SECRET && text.includes(secret)) ||
    looksSecret(text)
  )
}

/** The error for an input that has to be given. `variables`: of the environment, which tell whether this is a workflow. */
export function missingInput(name: string, input: Input, variables: Variables = {}): LifeboatError {
  const empty = input.secret && variables['GITHUB_ACTIONS'] === 'true' ? ` ${EMPTY_SECRET}` : ''
  return new LifeboatError(
    `${name} is not given${input.variable ? `, and ${input.variable} is not set` : ''}`,
    { hint: `${expectedText(input)}${empty}`, status: 2 },
  )
}

/** The error for an unknown name; `names` are known, and all are in the hint unless another is given. */
export function unknownInput(
  command: string,
  name: string,
  names: readonly string[],
  hint = `The inputs of ${command} are ${names.join(', ')}.`,
): LifeboatError {
  if (name === 'database' && names.includes('database-url')) {
    return new LifeboatError(`${command} has no input "database"`, {
      hint: marked`The name of a database is the end of its URL: ‹database-url›, postgres://user:password@host:5432/database.`,
      status: 2,
    })
  }
  if (name === 'tables' && names.includes('pg-dump-args')) {
    return new LifeboatError(`${command} has no input "tables"`, {
      hint: marked`It is an input of restore, which takes tables out of a backup. To back up no others: ‹pg-dump-args: --table=orders›.`,
      status: 2,
    })
  }
  const near = nearest(name, names) ?? onlyOneOf(name, names)
  // Anything else than a name may be a secret in the wrong place.
  const shown = /^[A-Za-z0-9-]{1,40}$/.test(name) ? JSON.stringify(name) : 'with the name given (not shown, because it may be a secret)'
  return new LifeboatError(`${command} has no input ${shown}${near ? `; did you mean ${near}?` : ''}`, {
    hint,
    status: 2,
  })
}

/** The name that a letter stands for in other programs, as `-l` for `--level`. */
function onlyOneOf(letter: string, names: readonly string[]): string | undefined {
  const [one, ...others] = letter.length === 1 ? names.filter((name) => name.startsWith(letter)) : []
  return others.length === 0 ? one : undefined
}

function expectedText({ expected, example }: Input): string {
  return `Expected ${expected}; for example: ${example}.`
}

import { parseArgs } from 'node:util'
import { LifeboatError, messageOf } from '../error.ts'
import { unknownInput } from '../inputs/parse.ts'
import type { Input } from '../inputs/input.ts'
import { snapshotId } from '../repository/snapshot.ts'

/** The arguments of one command. */
export interface Arguments {
  /** Inputs by name, not yet checked; `-` stands for standard input. */
  raw: Record<string, string>
  /** The switches (`json`, `help`) that are given. */
  switches: Set<string>
}

/**
 * Reads `--name value`, `--name=value` and `-n value`, and values without a name where inputs are positional. `switches`: names with
 * their letters, '' for none. Throws with status 2; values are never shown, for a misplaced one may be a secret.
 */
export function readArguments(
  command: string,
  rows: readonly [string, Input][],
  switches: Readonly<Record<string, string>>,
  given: readonly string[],
): Arguments {
  const args = withFlagValues(rows, given)
  const options = {
    ...Object.fromEntries(
      rows.map(([name, { short }]) => [name, { type: 'string', multiple: true, ...(short !== undefined && { short }) } as const]),
    ),
    ...Object.fromEntries(
      Object.entries(switches).map(([name, short]) => [name, { type: 'boolean', ...(short !== '' && { short }) } as const]),
    ),
  }
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true, allowPositionals: true })
  const places = rows.filter(([, input]) => input.positional)
  let placed = 0
  const values: Record<string, string[]> = {}
  for (const token of tokens) {
    if (token.kind === 'option' && !Object.hasOwn(options, token.name)) {
      throw unknownInput(command, token.name, Object.keys(options), `See lifeboat ${command} --help.`)
    }
    if (token.kind !== 'positional') continue
    const [name, input] = places[placed] ?? []
    if (name === undefined) {
      throw unexpected(command, rows, token)
    }
    ;(values[name] ??= []).push(token.value)
    if (!input?.list) placed++
  }
  const on = new Set<string>()
  for (const [name, value] of Object.entries(strictValues(command, args, options))) {
    if (Array.isArray(value)) (values[name] ??= []).push(...value.map(String))
    else on.add(name)
  }
  const raw = Object.fromEntries(
    Object.entries(values).map(([name, given]) => [name, joined(name, rows.find(([known]) => known === name)?.[1], given)]),
  )
  return { raw, switches: on }
}

/** Only the id of a snapshot is surely no secret. */
function unexpected(command: string, rows: readonly [string, Input][], { value, index }: { value: string; index: number }): LifeboatError {
  const isSnapshot = value === 'latest' || snapshotId.safeParse(value).success
  const instead = rows.some(([name]) => name === 'snapshot') && isSnapshot
    ? `Give it as --snapshot ${value}.`
    : 'Every value follows its name: --name value.'
  return new LifeboatError(
    `Unexpected argument ${isSnapshot ? JSON.stringify(value) : `${index + 1}, which may be a secret and is not shown`}`,
    { hint: `${instead} See lifeboat ${command} --help.`, status: 2 },
  )
}

/** At a terminal the name of a flag alone means `true`, also before another argument. */
function withFlagValues(rows: readonly [string, Input][], given: readonly string[]): string[] {
  const flags = new Set(rows.filter(([, { flag }]) => flag).flatMap(([name, { short }]) => [`--${name}`, ...(short ? [`-${short}`] : [])]))
  return given.flatMap((argument, index) => {
    const next = given[index + 1]
    return flags.has(argument) && next !== 'true' && next !== 'false' ? [argument, 'true'] : [argument]
  })
}

function strictValues(
  command: string,
  args: string[],
  options: NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>,
): Record<string, unknown> {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true }).values
  } catch (cause) {
    // Node's texts begin with "Option '-s, --set <value>' argument missing" and "Option '--set' argument is ambiguous", or '-s'.
    const [, letter, name = letter === undefined ? undefined : Object.keys(options).find((name) => options[name]?.short === letter)] =
      /^Option '(?:-([a-z]))?(?:, )?(?:--([a-z-]+))?(?: <value>)?' argument (?:missing|is ambiguous)/.exec(messageOf(cause)) ?? []
    if (name !== undefined) {
      throw new LifeboatError(
        `--${name} is not followed by a value`,
        { hint: `Give it as --${name} VALUE; one that begins with a dash as --${name}=VALUE. See lifeboat ${command} --help.`, status: 2 },
      )
    }
    throw new LifeboatError(`${command}: ${messageOf(cause)}`, { hint: `See lifeboat ${command} --help.`, status: 2, cause })
  }
}

function joined(name: string, input: Input | undefined, values: string[]): string {
  if (values.length > 1 && !input?.list) {
    throw new LifeboatError(`--${name} is given ${values.length} times`, { hint: 'Give it once.', status: 2 })
  }
  if (values.includes('')) {
    throw new LifeboatError(`--${name} is given an empty value`, {
      hint: 'Is a variable of the script unset? Without the option, the default applies.',
      status: 2,
    })
  }
  return values.join('\n')
}

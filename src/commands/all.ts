import type { Variables } from '../environment.ts'
import { commandInputs, rowsOf } from '../inputs/group.ts'
import type { Input } from '../inputs/input.ts'
import { notify, type NotifyInputs } from '../inputs/notify.ts'
import { LifeboatError } from '../error.ts'
import { configInput } from '../inputs/config-file.ts'
import { parse, parseEach } from '../inputs/parse.ts'
import { backup } from './backup/command.ts'
import { check } from './check/command.ts'
import type { CommandDefinition } from './command.ts'
import { configCheck } from './config/command.ts'
import { copy } from './copy/command.ts'
import { diff } from './diff/command.ts'
import { doctor } from './doctor/command.ts'
import { extract } from './extract/command.ts'
import { forget } from './forget/command.ts'
import { init } from './init/command.ts'
import { keyAdd, keyList, keyRemove } from './key-files/command.ts'
import { keyNew, keyWrite } from './keys/command.ts'
import { pin, tag, unpin } from './label/command.ts'
import { list } from './list/command.ts'
import { plan } from './plan/command.ts'
import { prune } from './prune/command.ts'
import { restore } from './restore/command.ts'
import { show } from './show/command.ts'
import { stats } from './stats/command.ts'
import { verdict } from './verdict/command.ts'
import { verify } from './verify/command.ts'

/** Every command, in the order in which people are shown them. */
const all = [
  init,
  backup,
  restore,
  verify,
  check,
  list,
  doctor,
  copy,
  prune,
  plan,
  verdict,
  show,
  diff,
  extract,
  pin,
  unpin,
  tag,
  forget,
  stats,
  keyNew,
  keyWrite,
  keyList,
  keyAdd,
  keyRemove,
  configCheck,
] as const

type Definition = (typeof all)[number]

export type Command = Definition['name']
/** The commands that are offered as actions as well; the others are for a terminal alone. */
export type Action = Extract<Definition, { outputs: object }>['name']
/** The result of each command: printed by `--json`, put into the outputs and the summary. Sizes are bytes, times ISO 8601. */
export type Results = { [D in Definition as D['name']]: Awaited<ReturnType<D['run']>> }
/** The checked inputs of each command. */
export type Inputs = { [D in Definition as D['name']]: Parameters<D['run']>[0] }

export const commands: readonly Command[] = all.map(({ name }) => name)
export const actions: readonly Action[] = all.filter((definition) => 'outputs' in definition).map(({ name }) => name)

export function definitionOf<C extends Command>(command: C): CommandDefinition<Inputs[C], Results[C]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- found by its name, which its types belong to
  return all.find(({ name }) => name === command) as unknown as CommandDefinition<Inputs[C], Results[C]>
}

/** The input of every command that names the file with the others. */
export const configRow = ['config', configInput] as const

/** The inputs of a command with their dashed names, in the order in which they are shown. */
export function inputsOf(command: Command): [name: string, input: Input][] {
  const { inputs, readsNoConfiguration } = definitionOf(command)
  return [...rowsOf(inputs), ...(readsNoConfiguration ? [] : [[...configRow] as [string, Input]])]
}

/** Checks the raw inputs of a command, those of a configuration file among them: status 2 if one of them is invalid. */
export function parseInputs<C extends Command>(
  command: C,
  raw: Readonly<Record<string, string | undefined>>,
  variables: Variables,
): Inputs[C] {
  const { [configRow[0]]: _, ...own } = raw
  return parse(command, definitionOf(command).inputs, own, variables)
}

/** The inputs of a command that was refused because some do not fit together; undefined if one by itself is invalid or missing. */
export function refusedInputs<C extends Command>(
  command: C,
  raw: Readonly<Record<string, string | undefined>>,
  variables: Variables,
): Inputs[C] | undefined {
  try {
    return parseEach(command, definitionOf(command).inputs, raw, variables)
  } catch (error) {
    if (error instanceof LifeboatError && error.status === 2) return undefined
    throw error
  }
}

/** Of the raw inputs of a command that is refused, who is told; undefined if it has none, or if they are what is invalid. */
export function notifyInputs(
  command: Command, raw: Readonly<Record<string, string | undefined>>, variables: Variables,
): { notify: NotifyInputs } | undefined {
  const own = notify.rows.map(([name]) => name)
  if (!inputsOf(command).some(([name]) => name === own[0])) return undefined
  const given = Object.fromEntries(Object.entries(raw).filter(([name]) => own.includes(name)))
  try {
    return parseEach(command, commandInputs({ notify }), given, variables)
  } catch (error) {
    if (error instanceof LifeboatError) return undefined
    throw error
  }
}

/** The outputs of an action with their descriptions. */
export function outputsOf(action: Action): [name: string, help: string][] {
  return Object.entries(definitionOf(action).outputs ?? {}).map(([name, { help }]) => [name, help])
}

/** Every input of a command, by its dashed name. */
export const inputsByName: ReadonlyMap<string, Input> = new Map(commands.flatMap((command) => inputsOf(command)))

/** The command that words begin with: `forget` of `forget ID`. */
export function commandIn(words: string): Command | undefined {
  return commands.find((command) => words === command || words.startsWith(`${command} `))
}

// The text of docs/reference.md: inputs that most actions have, then each action's own and its outputs, then the commands of the terminal alone.
import { commandHelp } from '../src/cli/help.ts'
import { type Action, actions, type Command, commands, definitionOf, inputsOf, outputsOf } from '../src/commands/all.ts'
import type { Input } from '../src/inputs/input.ts'

type Row = [name: string, input: Input]

/** A row for each input that most actions have: the one that most of them have in the same words. Other rows of its name belong to their actions. */
export function sharedRows(): Row[] {
  const rows = actions.flatMap((command) => inputsOf(command))
  const names = [...new Set(rows.map(([name]) => name))].filter((name) => rows.filter(([other]) => other === name).length > actions.length / 2)
  return names.map((name) => {
    const same = Map.groupBy(rows.filter(([other]) => other === name), rowOf)
    return [...same.values()].toSorted((a, b) => b.length - a.length)[0]![0]!
  })
}

/** Everything about the inputs and outputs. */
export function referencePage(): string {
  const shared = sharedRows()
  const terminal = commands.filter((command) => !actions.some((action) => action === command))
  return `${[
    '# Reference',
    '',
    '<!-- Made by `npm run generate`; changes to this file are lost. -->',
    '',
    'The same inputs, by the same names, are used in a workflow (`with:`, in the form `name: value`) and at a terminal (`--name value`).',
    'A default that begins with `$` is the value of that environment variable; in an action it is read if the input is not given.',
    'A list takes one value per line, or the option several times. `lifeboat COMMAND --help` prints the same text.',
    '',
    'Every action has the outputs `outcome` and `result`. Exit status: 0 done, 1 failed, 2 wrong usage, 3 could not verify, 130 interrupted, 141 pipe closed.',
    '',
    `Actions: ${actions.map(link).join(', ')}. For the terminal only: ${terminal.map(link).join(', ')}.`,
    '',
    '## Inputs that most actions have',
    '',
    ...table(shared),
    ...actions.flatMap((command) => ['', ...section(command, shared), '', outputsLine(command)]),
    '',
    '# At a terminal only',
    '',
    'These commands have no action. Each takes `--json`.',
    ...terminal.flatMap((command) => ['', ...section(command, shared)]),
  ].join('\n')}\n`
}

function link(command: string): string {
  return `[${command}](#${command.replace(' ', '-')})`
}

function section(command: Command, shared: readonly Row[]): string[] {
  const rows = inputsOf(command)
  const isShared = (row: Row): boolean => shared.some((one) => rowOf(one) === rowOf(row))
  const usage = commandHelp(command).split('\n').find((line) => line.startsWith('Usage: '))!.slice('Usage: '.length)
  const others = rows.filter(isShared).map(([name]) => `\`${name}\``)
  return [
    `## ${command}`,
    '',
    definitionOf(command).purpose,
    ...(actions.some((action) => action === command) ? [] : ['', `Usage: \`${usage}\``]),
    '',
    ...table(rows.filter((row) => !isShared(row))),
    ...(others.length > 0 ? ['', `Shared inputs: ${others.join(', ')}.`] : []),
  ]
}

function table(rows: readonly Row[]): string[] {
  return ['| input | default | meaning |', '|---|---|---|', ...rows.map(rowOf)]
}

function rowOf([name, input]: Row): string {
  return `| \`${name}\` | ${defaultCell(input)} | ${cell(input.help)} |`
}

function outputsLine(command: Action): string {
  const first = /^(The|All|Bytes|Seconds|How|Everything)/
  return `Outputs: ${outputsOf(command).map(([name, description]) => `\`${name}\` (${cell(description.replace(/\.$/, '').replace(first, (word) => word.toLowerCase()))})`).join(', ')}.`
}

function defaultCell(input: Input): string {
  if (input.actionDefault) return `\`${input.actionDefault}\``
  if (input.variable) return `\`$${input.variable}\`${input.required ? ', else **required**' : input.default ? `, else \`${input.default}\`` : ''}`
  if (input.required) return '**required**'
  return input.default ? `\`${input.default}\`` : ''
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

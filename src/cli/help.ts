import { type Command, commands, definitionOf, inputsOf } from '../commands/all.ts'
import type { Input } from '../inputs/input.ts'
import { formatColumns } from '../report/format.ts'

const WIDTH = 100

/** `lifeboat --help`. */
export function programHelp(): string {
  return [
    'lifeboat: encrypted backups of PostgreSQL that store only what changed',
    '',
    'Usage: lifeboat <command> --<input> <value> …',
    '',
    commandsHelp(commands),
    '',
    '  lifeboat <command> --help   the inputs of a command',
    '  lifeboat completion SHELL   a script for bash, zsh or fish: source <(lifeboat completion bash)',
    '  lifeboat --version',
    '',
    ...wrapped('Secrets: set LIFEBOAT_ENCRYPTION_KEY and DATABASE_URL, or give - as the value to read it from standard input.', ''),
    ...wrapped('Exit status: 0 done, 1 failed, 2 wrong usage, 3 could not verify, 130 interrupted.', ''),
  ].join('\n')
}

/** Commands with their purposes. */
export function commandsHelp(some: readonly Command[]): string {
  return formatColumns(some.map((command) => [command, definitionOf(command).purpose]), '  ')
}

/** `lifeboat <command> --help`. */
export function commandHelp(command: Command): string {
  const rows = inputsOf(command)
  const required = rows.filter(
    ([, input]) => input.required && !input.variable && !input.positional,
  ).map(([name, input]) => `--${name} ${placeholder(name, input)}`)
  const places = rows
    .filter(([, input]) => input.positional)
    .map(([name, input]) => `${placeholder(name, input)}${input.list ? '…' : ''}`)
  return [
    `lifeboat ${command}: ${definitionOf(command).purpose}`,
    '',
    `Usage: lifeboat ${[command, ...places, ...required, '[--<input> <value> …]'].join(' ')} [--json]`,
    '',
    ...rows.flatMap(([name, input]) => inputHelp(name, input)),
    '  --json',
    ...wrapped('Print the result alone, or the error, as JSON on standard output; everything else goes to standard error.', '      '),
    '  -q, --quiet',
    ...wrapped('No progress, and of messages only warnings and errors.', '      '),
    '  -v, --verbose',
    ...wrapped('The time of every message, and where errors come from.', '      '),
  ].join('\n')
}

function inputHelp(name: string, input: Input): string[] {
  const letter = input.short === undefined ? '' : `-${input.short}, `
  return [`  ${letter}--${name} ${placeholder(name, input)}`, ...wrapped([input.help, ...notes(input)].join(' '), '      ')]
}

function notes(input: Input): string[] {
  return [
    ...(input.required ? [input.variable ? `Required; or set ${input.variable}.` : 'Required.'] : []),
    ...(!input.required && input.variable ? [`Or set ${input.variable}.`] : []),
    ...(!input.secret && !input.flag && (!input.default || input.default === 'none') ? [`Example: ${input.example}.`] : []),
    ...(input.default ? [`Default: ${input.default}.`] : []),
    ...(input.list ? ['May be given several times.'] : []),
  ]
}

function placeholder(name: string, input: Input): string {
  return input.flag ? '[true|false]' : name.split('-').at(-1)!.toUpperCase()
}

/** Lines of at most `WIDTH` characters. */
function wrapped(text: string, indent: string): string[] {
  const lines: string[] = []
  let line = indent
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH && line !== indent) {
      lines.push(line)
      line = indent
    }
    line += (line === indent ? '' : ' ') + word
  }
  return [...lines, line]
}

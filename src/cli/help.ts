import { type Command, commands, definitionOf, inputsOf } from '../commands/all.ts'
import type { Input } from '../inputs/input.ts'
import { examples } from './examples.ts'

/** Characters of a line where the terminal is wider, or does not tell. */
const WIDEST = 100
/** A narrower terminal wraps by itself. */
const NARROWEST = 40

/** `lifeboat --help`. `columns`: of the terminal. */
export function programHelp(columns?: number): string {
  const width = widthFor(columns)
  return [
    ...wrapped('lifeboat: encrypted backups of PostgreSQL that store only what changed', '', width),
    '',
    ...wrapped('Usage: lifeboat <command> --<input> <value> …', '', width),
    '',
    commandsHelp(commands, width),
    '',
    '  lifeboat <command> --help   the inputs of a command',
    '  lifeboat completion SHELL   a script for bash, zsh or fish: source <(lifeboat completion bash)',
    '  lifeboat --version',
    '',
    ...wrapped('Secrets: set LIFEBOAT_ENCRYPTION_KEY and DATABASE_URL, or give - as the value to read it from standard input.', '', width),
    ...wrapped('Exit status: 0 done, 1 failed, 2 wrong usage, 3 could not verify, 130 interrupted, 141 pipe closed.', '', width),
  ].join('\n')
}

/** Commands with their purposes, which are below them where the terminal is narrow. */
export function commandsHelp(some: readonly Command[], columns?: number): string {
  const width = widthFor(columns)
  const beside = Math.max(...some.map((command) => command.length)) + 4
  if (width < WIDEST - 20) return some.flatMap((one) => [`  ${one}`, ...wrapped(definitionOf(one).purpose, '      ', width)]).join('\n')
  return some.flatMap((one) => {
    const [first = '', ...more] = wrapped(definitionOf(one).purpose, ' '.repeat(beside), width)
    return [`  ${one}`.padEnd(beside) + first.trimStart(), ...more]
  }).join('\n')
}

/** `lifeboat <command> --help`. `columns`: of the terminal. */
export function commandHelp(command: Command, columns?: number): string {
  const width = widthFor(columns)
  const rows = inputsOf(command)
  const required = rows.filter(
    ([, input]) => input.required && !input.variable && !input.positional,
  ).map(([name, input]) => `--${name} ${placeholder(name, input)}`)
  const places = rows
    .filter(([, input]) => input.positional)
    .map(([name, input]) => ({ input, place: `${placeholder(name, input)}${input.list ? '…' : ''}` }))
    .map(({ input, place }) => (input.required ? place : `[${place}]`))
  const [usual, others] = [rows.filter(([, input]) => isUsual(input)), rows.filter(([, input]) => !isUsual(input))]
  const help = (some: typeof rows): string[] => some.flatMap(([name, input]) => inputHelp(name, input, width))
  return [
    ...wrapped(`lifeboat ${command}: ${definitionOf(command).purpose}`, '', width),
    '',
    ...examples[command].map((example) => `  lifeboat ${example}`),
    '',
    ...wrapped(`Usage: lifeboat ${[command, ...places, ...required, '[--<input> <value> …]'].join(' ')} [--json]`, '', width),
    '',
    ...help(usual),
    ...(usual.length > 0 && others.length > 0 ? ['', 'More:', ''] : []),
    ...help(others),
    ...(others.length > 0 ? ['', 'Of every command:', ''] : []),
    '  --json',
    ...wrapped(
      'Print the result alone, or the error, as JSON on standard output; everything else goes to standard error.', '      ', width,
    ),
    '  -q, --quiet',
    ...wrapped('No progress, and of messages only warnings and errors.', '      ', width),
    '  -v, --verbose',
    ...wrapped('More messages, the time of each, and where errors come from.', '      ', width),
  ].join('\n')
}

/** Variables of inputs that nearly everyone gives. */
const USUAL_VARIABLES = ['DATABASE_URL', 'LIFEBOAT_ENCRYPTION_KEY', 'LIFEBOAT_DESTINATION']

/** Most people need no other inputs: they are shown first. */
function isUsual({ required, positional, short, variable = '' }: Input): boolean {
  return required === true || positional === true || short !== undefined || USUAL_VARIABLES.includes(variable)
}

function widthFor(columns = WIDEST): number {
  return Math.min(WIDEST, Math.max(NARROWEST, columns))
}

function inputHelp(name: string, input: Input, width: number): string[] {
  const letter = input.short === undefined ? '' : `-${input.short}, `
  return [`  ${letter}--${name} ${placeholder(name, input)}`, ...wrapped([input.help, ...notes(input)].join(' '), '      ', width)]
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

/** Lines of at most `width` characters. */
function wrapped(text: string, indent: string, width: number): string[] {
  const lines: string[] = []
  let line = indent
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > width && line !== indent) {
      lines.push(line)
      line = indent
    }
    line += (line === indent ? '' : ' ') + word
  }
  return [...lines, line]
}

import { fstatSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { givesSecret, redacted, runCommand, statusOf, textOf, wroteData } from '../commands/run-command.ts'
import { withSchema } from '../commands/command.ts'
import type { Variables } from '../environment.ts'
import { CLOSED_PIPE, LifeboatError } from '../error.ts'
import { exit } from '../process/exit.ts'
import { type Command, commands, inputsOf } from '../commands/all.ts'
import { secretsGiven, secretsOf } from '../inputs/secrets.ts'
import type { Input } from '../inputs/input.ts'
import { nearest } from '../nearest.ts'
import { failureOf, redactedFailure } from '../report/failure.ts'
import { inertJson, inertText } from '../report/inert.ts'
import { Redaction } from '../report/redaction.ts'
import { inColours, type TerminalReport, terminalReport } from '../report/terminal.ts'
import { withEnvironment } from '../process/lifecycle.ts'
import { VERSION } from '../version.ts'
import { ask } from './ask.ts'
import { completionScript } from './completion.ts'
import { readArguments, type Arguments } from './arguments.ts'
import { commandHelp, commandsHelp, programHelp } from './help.ts'
import { atTerminal } from './spelling.ts'

/** The program at a terminal: reads the arguments, runs the command, exits with its status. */
export async function runTerminal(): Promise<void> {
  const redaction = new Redaction({ spelling: atTerminal(programName()) })
  const report = terminalReport(process.stderr, redaction, {
    coloured: hasColours(process.stderr), debug: process.env['LIFEBOAT_DEBUG'] === '1',
  })
  let status: number
  try {
    status = await run(process.argv.slice(2), process.env, redaction, report)
  } catch (error) {
    const failure = failureOf(error)
    // A reader that has read enough (`head`) needs no message: the status tells that not everything was written.
    if (failure.status === CLOSED_PIPE) report.end()
    else report.failure(error)
    if (process.argv.includes('--json')) printJson({ error: redactedFailure(failure, (text) => redaction.apply(text)) })
    status = failure.status
  }
  const lost = await written(process.stdout, report)
  status ||= lost
  // Exits even if handles are still open.
  exit(status)
}

/** The switches of every command, with their letters. */
const SWITCHES = { json: '', quiet: 'q', verbose: 'v', help: 'h' } as const

async function run(args: readonly string[], variables: Variables, redaction: Redaction, report: TerminalReport): Promise<number> {
  const [word, ...rest] = args
  if (word === undefined) {
    print(process.stderr, programHelp(process.stderr.columns || undefined))
    return 2
  }
  if (word === '--version' || word === 'version') return say(VERSION)
  if (word === 'help' && rest.length > 0) return run([...rest, '--help'], variables, redaction, report)
  if (word === 'completion') return say(completionScript(rest[0], SWITCHES))
  if (['--help', '-h', 'help'].includes(word)) return say(programHelp(process.stdout.columns || undefined))
  const pair = commands.find((command) => command === `${word} ${rest[0]}`)
  if (pair !== undefined) return runNamed(pair, rest.slice(1), variables, redaction, report)
  const pairs = commands.filter((command) => command.startsWith(`${word} `))
  if (pairs.length > 0) return secondWord(word, pairs, rest[0])
  const command = commands.find((command) => command === word)
  if (command === undefined) {
    const near = OTHER_NAMES[word] ?? nearest(word, [...commands, 'key', 'help', 'completion'])
    throw new LifeboatError(
      `${shown(word)}${near ? `; did you mean ${near}?` : ''}`,
      { hint: near ? 'See lifeboat --help.' : `The commands are ${commands.join(', ')}; see lifeboat --help.`, status: 2 },
    )
  }
  return runNamed(command, rest, variables, redaction, report)
}

/** Names that other programs have for commands. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  snapshots: 'list', ls: 'list', delete: 'forget', remove: 'forget', rm: 'forget', dump: 'backup', save: 'backup', info: 'show',
  stat: 'stats', cat: 'extract', get: 'extract', test: 'verify', status: 'check', gc: 'prune', keygen: 'key new',
  mirror: 'copy', sync: 'copy',
}

/** A command that does not exist. Anything else than a word may be a secret in the wrong place. */
function shown(command: string): string {
  return /^[a-z]{1,20}( [a-z-]{1,20})?$/.test(command) ? `Unknown command "${command}"` : 'Unknown command'
}

async function runNamed(
  command: Command,
  args: readonly string[],
  variables: Variables,
  redaction: Redaction,
  report: TerminalReport,
): Promise<number> {
  const rows = inputsOf(command)
  const { raw, switches } = readArguments(command, rows, SWITCHES, args)
  if (switches.has('help')) return say(commandHelp(command, process.stdout.columns || undefined))
  if (switches.has('quiet')) report.tell('less')
  if (switches.has('verbose')) report.tell('more')
  await takeSecrets(rows, raw, report)
  for (const secret of secretsGiven(rows, raw, variables)) redaction.add(secret)
  redaction.spellAs(atTerminal(programName(), destinationAgain(command, rows, raw)))

  const outcome = await withEnvironment(
    { variables, report, temporaryRoot: tmpdir(), findsConfiguration: isOwnTerminal(variables),
      ...(!switches.has('json') && { output: process.stdout }),
      ...(process.stdin.isTTY && process.stderr.isTTY && { ask }) },
    (environment) => runCommand(command, raw, environment),
  )
  report.end()
  if (givesSecret(outcome)) warnOfOpenFile(report)
  const clean = redacted(outcome, redaction)
  if (switches.has('json')) printJson(clean.result)
  else if (givesSecret(clean)) print(process.stdout, textOf(clean, programName()))
  else {
    const text = textOf(clean, programName(), process.stdout.columns || undefined)
    print(wroteData(clean) ? process.stderr : process.stdout, redaction.apply(text))
  }
  return statusOf(clean)
}

/** In a job of CI, the working directory may be a checkout of a branch that somebody else wrote. */
function isOwnTerminal({ CI, GITHUB_ACTIONS }: Variables): boolean {
  return !CI && !GITHUB_ACTIONS
}

/** The answer to `lifeboat key`: the commands that begin with it. */
function secondWord(word: string, pairs: readonly Command[], second: string | undefined): number {
  if (second === '--help' || second === '-h') {
    return say(`Commands of lifeboat ${word}:\n\n${commandsHelp(pairs, process.stdout.columns || undefined)}`)
  }
  const near = second === undefined ? undefined : nearest(`${word} ${second}`, pairs)
  const meant = near ? `; did you mean ${near}?` : ''
  throw new LifeboatError(
    second === undefined ? `${word} needs a second word` : `${shown(`${word} ${second}`)}${meant}`,
    { hint: near ? `See lifeboat ${word} --help.` : `Supported: ${pairs.join(', ')}. See lifeboat ${word} --help.`, status: 2 },
  )
}

/** Standard output may be a file that is more open than the key in it may be. */
function warnOfOpenFile(report: TerminalReport): void {
  const output = fstatSync(1)
  if (!output.isFile() || (output.mode & 0o077) === 0) return
  report.warning('others can read the file that the key is written to', 'Run chmod 600 on the file.')
}

/** The destination that commands in hints are given as well. A copy has two, of which a hint may mean either. */
function destinationAgain(command: Command, rows: readonly [string, Input][], { destination }: Arguments['raw']): string | undefined {
  const input = rows.find(([name]) => name === 'destination')?.[1]
  if (command === 'copy' || input === undefined || destination === undefined) return undefined
  return destination.includes('\n') || secretsOf(input, destination).length > 0 ? undefined : destination
}

/** Replaces `-` by what is on standard input, and warns of secrets on the command line. */
async function takeSecrets(rows: readonly [string, Input][], raw: Arguments['raw'], report: TerminalReport): Promise<void> {
  const ownDash = new Set(rows.filter(([, { dash }]) => dash).map(([name]) => name))
  const fromInput = Object.keys(raw).filter((name) => raw[name] === '-' && !ownDash.has(name))
  if (fromInput.length > 1) {
    throw new LifeboatError(
      `${fromInput.join(' and ')} cannot both be read from standard input`,
      { hint: 'Use an environment variable for one of them.', status: 2 },
    )
  }
  for (const [name, input] of rows) {
    if (raw[name] === undefined || fromInput.includes(name) || secretsOf(input, raw[name]).length === 0) continue
    const instead = input.variable === undefined ? 'Give -' : `Set ${input.variable} instead, or give -`
    report.warning(
      `${input.secret ? 'the value of' : 'a secret in'} --${name} is on the command line, where other users of this machine can see it`,
      `${instead} and pass it on standard input.`,
    )
  }
  for (const name of fromInput) raw[name] = await readStandardInput(name, report)
}

async function readStandardInput(name: string, report: TerminalReport): Promise<string> {
  if (process.stdin.isTTY) report.info(`Type the ${name}, then Enter and Ctrl-D:`)
  const pieces: Buffer[] = []
  for await (const piece of process.stdin) pieces.push(Buffer.from(piece))
  const text = Buffer.concat(pieces).toString('utf8').replace(/\r?\n$/, '')
  if (text === '') {
    throw new LifeboatError(`${name} is - but standard input is empty`, { hint: 'Pass the value on standard input.', status: 2 })
  }
  return text
}

/** How this program was called, so that the commands it suggests can be pasted. */
function programName(): string {
  const script = process.argv[1] ?? 'lifeboat'
  if (path.basename(script) === 'lifeboat') return 'lifeboat'
  const relative = path.relative(process.cwd(), script)
  return `node ${relative.startsWith('..') ? script : relative}`
}

function say(text: string): number {
  print(process.stdout, text)
  return 0
}

/**
 * A pipe takes 64 KiB at a time, and the exit does not wait for the rest. A reader that closes its end (`head`) has read enough; any other
 * error, of a full disk for instance, means that the output is lost.
 */
function written(stream: NodeJS.WriteStream, report: TerminalReport): Promise<number> {
  return new Promise((resolve) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      if (cause.code === 'EPIPE') return resolve(0)
      report.failure(new LifeboatError(`standard output could not be written: ${cause.message}`, {
        cause, hint: 'The command itself ran to its end. Free some space, or print somewhere else.',
      }))
      resolve(1)
    }
    stream.on('error', failed)
    stream.write('', (error) => (error ? failed(error) : resolve(0)))
  })
}

function printJson(value: object): void {
  process.stdout.write(`${inertJson(withSchema(value))}\n`)
}

function print(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${hasColours(stream) ? inColours(inertText(text)) : inertText(text)}\n`)
}

/** https://no-color.org: any text in NO_COLOR means none. */
function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
}

import { existsSync } from 'node:fs'
import type { Configuration, ConfigurationFile, Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { type FileSettings, filled, type Filled, missingVariables, shownValue, variablesOf } from '../inputs/file/fill.ts'
import { problemsError } from '../inputs/file/problem.ts'
import { FILE_NAME } from '../inputs/file/read-file.ts'
import { readSettings } from '../inputs/file/read-settings.ts'
import type { CommandRows, Setting } from '../inputs/file/settings.ts'
import { hasVariables, takesFirst, textFor, valueProblem } from '../inputs/file/values.ts'
import { EMPTY_SECRET } from '../inputs/input.ts'
import { marked, markedCommand } from '../marks.ts'
import { type Command, commands, configRow, definitionOf, inputsOf } from './all.ts'

type Raw = Readonly<Record<string, string | undefined>>

/** The inputs of a command with those of its configuration file. */
export interface Configured {
  raw: Raw
  configuration: Configuration
  /** Why the command cannot run with them. */
  problem?: LifeboatError
}

/** Every command with the inputs that a file may give. */
const rowsOfCommands: readonly CommandRows[] = commands.filter((name) => !definitionOf(name).readsNoConfiguration).map((name) => ({
  name, rows: inputsOf(name).filter(([input]) => input !== configRow[0]),
}))

/**
 * Adds what the configuration file gives: a value that is given precedes its environment variable, which precedes the file, which
 * precedes the default. Tells which file was read, masks its secrets. Throws (status 2) if the file cannot be read at all.
 */
export async function configured(command: Command, raw: Raw, environment: Environment): Promise<Configured> {
  const { variables, report } = environment
  const { config, ...given } = raw
  if (definitionOf(command).readsNoConfiguration) return { raw, configuration: { origins: [] } }
  const file = await fileFor(config || variables[configRow[1].variable] || undefined, environment)
  const rows = rowsOfCommands.find(({ name }) => name === command)!.rows
  const result = filled(command, rows, given, file, variables)
  for (const secret of result.secrets) report.mask(secret)
  if (file) report.info(`inputs that are not given are taken from ${file.path}`)
  for (const { name, place, values: [first, ...others] } of result.firsts) {
    report.info(
      `${command} takes one ${name}, the first of the ${others.length + 1} in ${place}: ${first}; for ` +
        `${others.length > 1 ? 'another' : 'the other'}: ${markedCommand(command, { [name]: others[0]! })}`,
    )
  }
  if (file === undefined) return { raw: result.raw, configuration: { origins: result.origins } }

  const judged = judgedFile(file, environment)
  const configuration = { origins: result.origins, file: judged }
  if (definitionOf(command).judgesConfiguration) return { raw: result.raw, configuration }
  for (const { name, variable, line } of result.overridden) {
    report.info(`${variable} is set, and precedes ${name} in line ${line} of ${file.path}`)
  }
  for (const { line, message } of file.warnings) report.warning(`${file.path}, line ${line}: ${message}`)
  const problem = problemOf(file, result)
  return { raw: result.raw, configuration, ...(problem && { problem }) }
}

async function fileFor(named: string | undefined, environment: Environment): Promise<FileSettings | undefined> {
  const { findsConfiguration = false, variables, report } = environment
  const file = await readSettings(named, findsConfiguration, rowsOfCommands, variables)
  if (file !== undefined && variables['GITHUB_EVENT_NAME'] === 'pull_request_target') {
    throw new LifeboatError(`config: a run of pull_request_target does not read ${file.path}: it may be that of a stranger's branch`, {
      hint: 'Give the inputs in the workflow, or run on another event (docs/security.md).', status: 2,
    })
  }
  if (named === undefined && !findsConfiguration && existsSync(FILE_NAME)) {
    report.info(marked`${FILE_NAME} in the working directory is not read: in a workflow that needs ‹config: lifeboat.yml›`)
  }
  return file
}

function problemOf(file: FileSettings, { problems }: Filled): LifeboatError | undefined {
  const all = [...file.problems, ...problems]
  if (all.length === 0) return undefined
  const missing = problems.filter(({ message }) => message.endsWith('is not set')).length
  const check = markedCommand('config check', file.named ? { config: file.path } : {})
  const hints = [
    ...(missing > 0 ? [`Set the ${missing === 1 ? 'variable' : 'variables'}; in a workflow under env: of the step. ${EMPTY_SECRET}`] : []),
    ...(missing < all.length ? [`${check} lists everything that is found in the file; docs/configuration.md describes it.`] : []),
    ...(file.named ? [] : [marked`‹config: lifeboat.yml› trusts the file, ‹config: none› leaves it out.`]),
  ]
  return problemsError(file.path, all, hints.join(' '))
}

/** The file as people are told about it. */
function judgedFile(file: FileSettings, { variables }: Environment): ConfigurationFile {
  const { path, settings, problems, warnings } = file
  const uses = settings.flatMap(({ items }) => variablesOf(items))
  return {
    path,
    inputs: settings.map((setting) => ({
      name: setting.name,
      line: setting.line,
      commands: takersOf(setting, settings),
      ...withFirsts(setting, settings),
      ...(!setting.takers[0]!.input.secret && { value: valueShown(setting) }),
      ...(setting.items.some(({ key }) => key !== undefined) && { names: setting.items.flatMap(({ key }) => key ?? []) }),
    })),
    variables: [...Map.groupBy(uses, ({ variable }) => variable)].map(([name, some]) => ({
      name, set: Boolean(variables[name]), lines: [...new Set(some.map(({ place }) => place.line))],
    })),
    problems: [...problems, ...expandedProblems(file, variables)],
    warnings,
  }
}

/** Without those whose own section has another value. */
function takersOf({ name, section, takers }: Setting, settings: readonly Setting[]): string[] {
  const sections = settings.filter((other) => other.name === name && other.section !== undefined).map((other) => other.section!)
  return takers.map(({ command }) => command).filter((command) => section !== undefined || !sections.includes(command))
}

/** The commands that get only the first of several values. */
function withFirsts(setting: Setting, settings: readonly Setting[]): { firstOnly?: string[] } {
  const some = setting.takers.filter(({ input }) => takesFirst(setting, input)).map(({ command }) => command)
  const firstOnly = takersOf(setting, settings).filter((command) => some.includes(command))
  return firstOnly.length > 0 ? { firstOnly } : {}
}

/** As it is written, with its variables. */
function valueShown(setting: Setting): string {
  const { input } = setting.takers[0]!
  return shownValue(input, textFor(setting, { ...input, list: true }, (name) => `\${${name}}`))
}

/** The faults of values whose variables are all set. */
function expandedProblems({ settings, problems }: FileSettings, variables: Environment['variables']): FileSettings['problems'] {
  const unsound = new Set(problems.map(({ line }) => line))
  return settings
    .filter((setting) => hasVariables(setting) && missingVariables(setting, variables).length === 0 && !unsound.has(setting.line))
    .flatMap((setting) => valueProblem(setting, setting.takers[0]!.input, (name) => variables[name] ?? '') ?? [])
}

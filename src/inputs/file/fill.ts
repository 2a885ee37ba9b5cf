import type { InputOrigin, Variables } from '../../environment.ts'
import { linesOf } from '../../stores/destination.ts'
import type { Input } from '../input.ts'
import { secretsOf } from '../secrets.ts'
import type { Problem } from './problem.ts'
import { type Item, placeIn, type Setting } from './settings.ts'
import { hasVariables, takesFirst, textFor, valueProblem } from './values.ts'
import { expanded, type Template, variablesIn, variableValue } from './variables.ts'

type Raw = Readonly<Record<string, string | undefined>>
type Rows = readonly (readonly [name: string, input: Input])[]

/** The settings of a file that was read. */
export interface FileSettings {
  readonly path: string
  /** Whether the user named it; one that was found may not name code. */
  readonly named: boolean
  readonly settings: readonly Setting[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

export interface Filled {
  /** The inputs that were given, and those of the file where neither they nor their variables are. */
  readonly raw: Record<string, string | undefined>
  readonly origins: InputOrigin[]
  /** Everything in values of the file that must not be shown. */
  readonly secrets: string[]
  readonly problems: Problem[]
  /** Values of the file in place of which other ones of variables are used. */
  readonly overridden: { name: string; variable: string; line: number }[]
  /** Inputs that take one value, where the file or the variable has several: each as it is shown. The first is taken. */
  readonly firsts: { name: string; place: string; values: string[] }[]
}

/** The inputs of a command: what is given, else its variable, else the file, else the default. Pure. */
export function filled(command: string, rows: Rows, given: Raw, file: FileSettings | undefined, variables: Variables): Filled {
  const result: Filled = { raw: { ...given }, origins: [], secrets: [], problems: [], overridden: [], firsts: [] }
  for (const [name, input] of rows) {
    const setting = file && settingFor(file, name, command, input)
    const { variable } = input
    if (given[name]) {
      result.origins.push(originOf(name, input, 'input', given[name]))
    } else if (variable !== undefined && variables[variable]) {
      takeFromVariable(name, input, variable, variables[variable], result)
      if (setting && differs(setting, input, variables)) result.overridden.push({ name, variable, line: setting.line })
    } else if (setting) {
      takeFrom(file, setting, input, variables, result)
    } else {
      const text = input.fallback?.(variables)
      if (text) result.origins.push(originOf(name, input, 'environment', text))
      else if (input.default) result.origins.push(originOf(name, input, 'default', input.default))
    }
  }
  return result
}

/** The section of the command comes first. */
function settingFor({ settings }: FileSettings, name: string, command: string, input: Input): Setting | undefined {
  if (input.once || input.positional) return undefined
  const own = settings.find((setting) => setting.name === name && setting.section === command)
  return own ?? (input.own ? undefined : settings.find((setting) => setting.name === name && setting.section === undefined))
}

function takeFromVariable(name: string, input: Input, variable: string, text: string, result: Filled): void {
  const lines = linesOf(text)
  const [first, ...others] = lines
  const takesOne = input.linesInVariable && !input.list && !input.own && first !== undefined && others.length > 0
  if (takesOne) {
    result.raw[name] = first
    result.secrets.push(...secretsOf(input, text))
    result.firsts.push({ name, place: variable, values: lines.map((value) => shownValue(input, value)) })
  }
  result.origins.push(originOf(name, input, `environment variable ${variable}`, takesOne ? first : text))
}

function takeFrom(file: FileSettings, setting: Setting, input: Input, variables: Variables, result: Filled): void {
  const { name, line, column } = setting
  const problems = [...missingVariables(setting, variables), ...severalLines(setting, variables)]
  if ((input.code || input.writes) && !file.named) {
    const does = input.code ? 'code to run' : 'a file to write'
    problems.push({ line, column, message: `${name} names ${does}, which only a file that is given as config may do` })
  }
  if (!file.named) problems.push(...sentVariables(setting, input))
  if (problems.length > 0) return void result.problems.push(...problems)
  const valueOf = (variable: string): string => variableValue(variable, variables) ?? ''
  const text = textFor(setting, input, valueOf)
  result.secrets.push(...secretsOf(input, text), ...secretVariables(setting, variables))
  const problem = hasVariables(setting) ? valueProblem(setting, input, valueOf, result.secrets) : undefined
  if (problem) result.problems.push(problem)
  result.raw[name] = text
  if (takesFirst(setting, input)) {
    const lines = textFor(setting, { ...input, list: true }, valueOf).split('\n')
    result.firsts.push({ name, place: `line ${line} of ${file.path}`, values: lines.map((value) => shownValue(input, value)) })
  }
  result.origins.push(originOf(name, input, `${file.path}, line ${line}`, text))
}

/** The variables of a setting that are not set, each with its place. */
export function missingVariables({ name, items }: Setting, variables: Variables): Problem[] {
  return variablesOf(items).filter(({ variable }) => variableValue(variable, variables) === undefined)
    .map(({ variable, place }) => ({ ...place, message: `${name}: the environment variable ${variable} is not set` }))
}

/**
 * Variables that a file could send to its author, who may be a stranger: in a path below a host that the file names, for instance. Left are
 * the key, which is never sent, an input's own variable, and whole addresses: `app=${NAME}`, `slack:${NAME} on failure`.
 */
function sentVariables({ name, items }: Setting, input: Input): Problem[] {
  const isOwn = (item: Item): boolean => variablesIn(item.template).every(({ variable }) => variable === input.variable)
  const isLeft = (item: Item): boolean => isWhole(item) && (isOwn(item) || input.secrets !== undefined || input.unsent === true)
  return variablesOf(items.filter((item) => !isLeft(item))).map(({ variable, place }) => ({
    ...place, message: `${name}: \${${variable}} is part of a value here, which only a file that is given as config may have`,
  }))
}

/** Whether a variable is all of an address in each line that has one. */
function isWhole({ template }: Item): boolean {
  return expanded(template, () => '\0').split(/\r?\n/)
    .every((line) => !line.includes('\0') || /^\s*(?:[\w.-]+[=:]){0,2}\0(?: on [\w, ]+)?\s*$/.test(line))
}

/** An item of a list or a map is one line: more of them would be items that nobody wrote. */
function severalLines({ name, items, several }: Setting, variables: Variables): Problem[] {
  if (!several) return []
  return variablesOf(items)
    .filter(({ variable }) => /[\r\n]/.test(variableValue(variable, variables)?.trimEnd() ?? ''))
    .map(({ variable, place }) => ({
      ...place, message: `${name}: the environment variable ${variable} has several lines, and one is expected`,
    }))
}

/** Every use of a variable. */
export function variablesOf(items: readonly Item[]): { variable: string; place: { line: number; column: number } }[] {
  return items.flatMap((item) =>
    variablesIn(item.template).map(({ variable, at }) => ({ variable, place: placeIn(item, written(item.template), at) })))
}

function written(template: Template): string {
  return template.map((part) => ('variable' in part ? `\${${part.variable}}` : part.text)).join('')
}

/** A password is masked on its own: the URL that it is in may be malformed. */
function secretVariables({ items }: Setting, variables: Variables): string[] {
  const names = variablesOf(items).map(({ variable }) => variable)
    .filter((name) => /pass|pwd|secret|token|key|credential/i.test(name))
  return names.flatMap((name) => variableValue(name, variables) ?? [])
}

/** Whether a variable that takes precedence has another value than the file gives. */
function differs(setting: Setting, input: Input, variables: Variables): boolean {
  if (missingVariables(setting, variables).length > 0) return true
  return textFor(setting, input, (name) => variableValue(name, variables) ?? '').trim() !== variables[input.variable!]!.trim()
}

function originOf(name: string, input: Input, from: string, text: string): InputOrigin {
  return { name, from, ...(!input.secret && { value: shownValue(input, text) }) }
}

/** A value without its secrets, as long as a line takes. */
export function shownValue(input: Input, text: string): string {
  const longestFirst = secretsOf(input, text).toSorted((a, b) => b.length - a.length)
  const clean = longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
  const line = clean.trim().split(/\s*\r?\n\s*/).join(', ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}

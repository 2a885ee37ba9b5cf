import { LifeboatError } from '../../error.ts'
import type { Input } from '../input.ts'
import { parseInput } from '../parse.ts'
import type { Problem } from './problem.ts'
import type { Item, Setting } from './settings.ts'
import { expanded, variablesIn } from './variables.ts'

/** The text of an input as somebody would give it: a list has an item per line. An input of one value gets the first of several. */
export function textFor({ items, several }: Pick<Setting, 'items' | 'several'>, input: Input, valueOf: (name: string) => string): string {
  const texts = items.map((item) => itemText(item, input, valueOf))
  return several && takesOne(input) ? texts[0] ?? '' : texts.join('\n')
}

function takesOne({ list, pairs }: Input): boolean {
  return !list && !pairs
}

/** Whether the input gets only the first of the items. */
export function takesFirst({ items, several }: Pick<Setting, 'items' | 'several'>, input: Input): boolean {
  return several && items.length > 1 && takesOne(input)
}

function itemText({ key, template }: Item, { pairs }: Input, valueOf: (name: string) => string): string {
  const text = expanded(template, valueOf)
  return key === undefined || pairs === undefined ? text : `${key}${pairs}${text}`
}

export function hasVariables({ items }: Pick<Setting, 'items'>): boolean {
  return items.some(({ template }) => variablesIn(template).length > 0)
}

/** Values that need no variable, checked as the commands check them that get them. */
export function valueProblems(setting: Setting): Problem[] {
  if (hasVariables(setting) || setting.items.length === 0) return []
  const { takers } = setting
  const found = takers.map(({ command, input }) => ({ command, problem: valueProblem(setting, input, () => '') }))
  const bad = found.filter(({ problem }) => problem !== undefined)
  // The same fault may be told with other examples.
  const first = bad.filter(({ problem }, index) => bad.findIndex((other) => other.problem!.line === problem!.line) === index)
  return first.map(({ command, problem }) => ({
    ...problem!, message: bad.length === takers.length ? problem!.message : `${problem!.message} (as an input of ${command})`,
  }))
}

/** The fault of a value, at the first of its items that has one. It quotes no secret, and nothing that a variable gave. */
export function valueProblem(
  setting: Setting, input: Input, valueOf: (name: string) => string, secrets: readonly string[] = [],
): Problem | undefined {
  const { name, items, several } = setting
  const problemOf = (text: string): string | undefined => {
    if (text === '') return undefined
    try {
      parseInput(name, input, text, secrets)
      return undefined
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      // A variable in the wrong line may be a secret, whatever its name. The parsers of secret inputs quote nothing.
      const quotes = hasVariables(setting) && !input.secret
      const message = quotes ? `${name}: the value is invalid, and not shown, because a variable gives it` : error.message
      return [message, ...(error.hint === undefined ? [] : [error.hint.replace(/\.$/, '')])].join('. ')
    }
  }
  const whole = problemOf(textFor(setting, input, valueOf))
  if (whole === undefined) return undefined
  for (const item of several ? items : []) {
    const message = problemOf(itemText(item, input, valueOf))
    if (message !== undefined) return { line: item.line, column: item.column, message }
  }
  const { line, column } = items[0] ?? setting
  return { line, column, message: whole }
}

import { actions, inputsOf } from '../commands/all.ts'

const inputs = new Map<string, ReadonlySet<string>>(actions.map((action) => [action, new Set(inputsOf(action).map(([name]) => name))]))
const known = new Set([...inputs.values()].flatMap((names) => [...names]))

const OPTION = / --(?<name>[a-z-]+)(?: (?:'(?<quoted>[^']*)'|(?<word>[^\s'-]\S*)))?/g

/**
 * The text of a hint for the log of a workflow: the commands of a terminal in it as the actions with their inputs, and the options as
 * inputs. The opposite of `asOptions` (src/cli/options.ts).
 */
export function asInputs(hint: string): string {
  return hint
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? commandAsAction(part) : optionsAsInputs(part)))
    .join('')
}

function commandAsAction(quoted: string): string {
  const { action, options } = /^`lifeboat (?<action>[a-z]+)(?<options> --.*)`$/.exec(quoted)?.groups ?? {}
  const names = inputs.get(action ?? '')
  const given = [...(options ?? '').matchAll(OPTION)]
  const isWhole = given.map(([text]) => text).join('') === options
  if (!names || !isWhole || !given.every(({ groups }) => names.has(groups!['name']!))) return quoted
  const shown = given.map(({ groups }) => `\`${groups!['name']}: ${groups!['quoted'] ?? groups!['word'] ?? 'true'}\``)
  return `the action ${action} with ${shown.join(', ')}`
}

function optionsAsInputs(text: string): string {
  const option = /(?<![\w-])--([a-z]+(?:-[a-z]+)*)/g
  return text.replaceAll(option, (found: string, name: string) => (known.has(name) ? `the input ${name}` : found))
}

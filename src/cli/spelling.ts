import { commands, inputsOf } from '../commands/all.ts'
import { shellWord } from '../report/recipe.ts'
import type { Spelling } from '../report/marks.ts'

const inputs = new Map(commands.flatMap((command) => inputsOf(command)))

/** Inputs and commands as they are typed at a terminal, where `program` is how this one was called. A secret is given in a variable. */
export function atTerminal(program: string): Spelling {
  return {
    input: (name, value) => option(name, value),
    command(words, given) {
      if (!commands.some((command) => words === command || words.startsWith(`${command} `))) return undefined
      const options = given.map(([name, value]) => option(name, value))
      return options.includes(undefined) ? undefined : `\`${[`${program} ${words}`, ...options].join(' ')}\``
    },
  }
}

function option(name: string, value: string | undefined): string | undefined {
  if (name === 'json') return '--json'
  const input = inputs.get(name)
  if (input === undefined) return undefined
  if (input.secret && input.variable !== undefined) return input.variable
  return value === undefined || (input.flag && value === 'true') ? `--${name}` : `--${name} ${shellWord(value)}`
}

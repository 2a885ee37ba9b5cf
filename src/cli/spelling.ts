import { commandIn, inputsByName, inputsOf } from '../commands/all.ts'
import { shellWord } from '../report/recipe.ts'
import type { Spelling } from '../marks.ts'

/**
 * Inputs and commands as they are typed at a terminal, where `program` is how this one was called. A secret is given in a variable.
 * `destination`: the one that this command was given as an option, which the next command needs as well.
 */
export function atTerminal(program: string, destination?: string): Spelling {
  return {
    input: (name, value) => option(name, value),
    command(words, given) {
      const named = commandIn(words)
      if (named === undefined) return undefined
      const again = destination !== undefined && inputsOf(named).some(([name]) => name === 'destination') &&
        !given.some(([name]) => name === 'destination')
      const options = [...given, ...(again ? [['destination', destination] as const] : [])].map(([name, value]) => option(name, value))
      return options.includes(undefined) ? undefined : `\`${[`${program} ${words}`, ...options].join(' ')}\``
    },
  }
}

function option(name: string, value: string | undefined): string | undefined {
  if (name === 'json') return '--json'
  const input = inputsByName.get(name)
  if (input === undefined) return undefined
  if (input.secret && input.variable !== undefined) return input.variable
  if (value === undefined || (input.flag && value === 'true')) return `--${name}`
  return (input.list ? value.split('\n') : [value]).map((one) => `--${name} ${shellWord(one)}`).join(' ')
}

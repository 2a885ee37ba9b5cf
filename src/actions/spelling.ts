import { actions, commands, inputsOf } from '../commands/all.ts'
import type { Spelling } from '../marks.ts'
import { shellWord } from '../report/recipe.ts'

const known = new Set(commands.flatMap((command) => inputsOf(command).map(([name]) => name)))

/** Inputs and commands as they are written in a workflow. A command that is no action is for a terminal, and says so. */
export const inWorkflow: Spelling = {
  input(name, value) {
    if (name === 'json') return 'the output result'
    if (!known.has(name)) return undefined
    return value === undefined ? `the input ${name}` : `\`${name}: ${value}\``
  },
  command(words, given) {
    if (!given.every(([name]) => known.has(name))) return undefined
    if (actions.some((action) => action === words)) {
      const list = given.map(([name, value]) => `\`${name}: ${value}\``)
      return `the action ${words}${list.length > 0 ? ` with ${list.join(', ')}` : ''}`
    }
    if (!commands.some((command) => words === command || words.startsWith(`${command} `))) return undefined
    return `\`lifeboat ${words}${given.map(([name, value]) => ` --${name} ${shellWord(value)}`).join('')}\` at a terminal`
  },
}

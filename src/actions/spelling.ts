import { actions, commandIn, inputsByName } from '../commands/all.ts'
import type { Spelling } from '../marks.ts'
import { shellWord } from '../report/recipe.ts'

/** Inputs and commands as they are written in a workflow. A command that is no action is for a terminal, and says so. */
export const inWorkflow: Spelling = {
  input(name, value) {
    if (name === 'json') return 'the output result'
    if (!inputsByName.has(name)) return undefined
    return value === undefined ? `the input ${name}` : `\`${name}: ${value}\``
  },
  command(words, given) {
    if (!given.every(([name]) => inputsByName.has(name))) return undefined
    if (actions.some((action) => action === words)) {
      const list = given.map(([name, value]) => `\`${name}: ${value}\``)
      return `the action ${words}${list.length > 0 ? ` with ${list.join(', ')}` : ''}`
    }
    if (commandIn(words) === undefined) return undefined
    return `\`lifeboat ${words}${given.map(([name, value]) => ` --${name} ${shellWord(value)}`).join('')}\` at a terminal`
  },
}

// An action, or its post step, from its sources, in a process of its own, for the tests beside it.
import { commands } from '../../src/inputs.ts'
import { runAction, runPost } from '../../src/main.ts'

const [word] = process.argv.slice(2)
const command = commands.find((command) => command === word)
if (command !== undefined) await runAction(command)
else if (word === 'post') await runPost()
else throw new Error('which action?')

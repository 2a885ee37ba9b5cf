// An action from its sources, in a process of its own, for the test beside it.
import { runAction } from '../../src/main.ts'
import { actions } from '../../src/commands/all.ts'

const command = actions.find((command) => command === process.argv[2])
if (command === undefined) throw new Error('which action?')
await runAction(command)

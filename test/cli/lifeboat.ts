// The program from its sources, in a process of its own, for the tests beside it.
import { runTerminal } from '../../src/main.ts'

await runTerminal()

import { textOf } from '../../src/commands/run-command.ts'
import type { Environment } from '../../src/environment.ts'
import type { Command, Results } from '../../src/commands/all.ts'
import type { RestoreAllResult } from '../../src/commands/restore/result.ts'
import type { AfterSwap } from '../../src/commands/restore/after-swap.ts'
import type { SetsResult } from '../../src/commands/backup/sets-result.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { failureOf, failureText } from '../../src/report/failure.ts'
import { inertText } from '../../src/report/inert.ts'
import { spelled } from '../../src/marks.ts'
import { runDocumented } from './documented.ts'

/** The result of a command; of a backup into one set, and a restore of data, as nearly all tests make them. */
export type ResultOf<C extends Command> = Exclude<Results[C], SetsResult | AfterSwap | RestoreAllResult>

export interface Dispatched<C extends Command> {
  result: ResultOf<C>
  /** As a terminal shows it. */
  text: string
  warnings: string[]
}

/** Runs a command in this process, from its raw inputs on. */
export async function dispatched<C extends Command>(command: C, raw: Record<string, string>, now = new Date(), given: Partial<Environment> = {}): Promise<Dispatched<C>> {
  const warnings: string[] = []
  const report = { info: () => undefined, warning: (message: string) => void warnings.push(message), progress: () => undefined, mask: () => undefined }
  const outcome = await runDocumented(command, raw, { variables: { GITHUB_REPOSITORY: 'someone/something' }, signal: new AbortController().signal, report, temporary: '/nowhere/at/all', now: () => now, ...given })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a test that gives databases or part looks at the sets itself
  return { result: outcome.result as ResultOf<C>, text: inertText(spelled(textOf(outcome, 'lifeboat'), atTerminal('lifeboat'))), warnings }
}

/** The error of a failed command, as a terminal shows it. */
export async function refusal(running: Promise<unknown>): Promise<string> {
  return running.then(
    () => 'nothing was refused',
    (error: unknown) => spelled(failureText(failureOf(error)), atTerminal('lifeboat')),
  )
}

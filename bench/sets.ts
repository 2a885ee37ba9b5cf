// npm run bench:sets -- [--write]: the cost, for each, of backing up forty small databases into sets of their own, and of the verdict on them: in one process, into a folder.
// oxlint-disable-next-line import/no-unassigned-import -- the program's own settings of the process, which its memory depends on
import '../src/process/v8-flags.ts'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { type Command, definitionOf } from '../src/commands/all.ts'
import { matrixOf, planOutput } from '../src/commands/plan/outputs.ts'
import type { PlanResult } from '../src/commands/plan/result.ts'
import { runCommand, statusOf } from '../src/commands/run-command.ts'
import { FileStore } from '../src/stores/file/store.ts'
import { clientDirectory } from '../test/support/postgres-server.ts'
import { bench, MAJOR } from './harness.ts'
import { IDENTITY } from './snapshots.ts'

const DATABASES = 40

await bench({}, ({ work, server: start, table }) => table('sets', async (add) => {
  const server = await start()
  const requests = counting()
  for (let index = 0; index < DATABASES; index++) await server.createDatabase(`shop_${index}`)
  const variables = { PATH: `${clientDirectory(MAJOR)}:${process.env['PATH'] ?? ''}`, DATABASE_URL: server.url('').replace(/\/$/, '') }
  const store = { destination: `file:${work}/store`, 'encryption-key': IDENTITY }
  const environment = { variables, signal: new AbortController().signal, temporary: path.join(work, 'tmp'), now: () => new Date(), report: { info: () => undefined, warning: console.warn, progress: () => undefined, mask: () => undefined } }

  async function measured(scenario: string, command: Command, given: Record<string, string>): Promise<unknown> {
    requests.clear()
    const [started, cpu] = [performance.now(), process.cpuUsage()]
    const outcome = await runCommand(command, given, environment)
    if (statusOf(outcome) !== 0) throw new Error(definitionOf(command).text(outcome.result, { program: 'lifeboat', ...outcome.shown }))
    const { user, system } = process.cpuUsage(cpu)
    const seconds = (performance.now() - started) / 1000
    for (const [name, count] of requests) add(`${scenario}, requests`, name.toUpperCase(), { requests: count / DATABASES })
    add(scenario, 'Lifeboat', { seconds: seconds / DATABASES, cpuSeconds: (user + system) / 1e6 / DATABASES, peak: process.resourceUsage().maxRSS * 1024 })
    return outcome.result
  }

  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the result of this command
  const plan = (await measured('plan', 'plan', { 'database-url': variables.DATABASE_URL, databases: 'shop_*', 'max-jobs': '1' })) as PlanResult
  const part = JSON.stringify(JSON.parse(matrixOf(plan)).include[0])
  for (const scenario of ['first backup', 'second backup', 'third backup']) await measured(scenario, 'backup', { ...store, part })
  await measured('verdict', 'verdict', { ...store, plan: planOutput(plan) })
}))

/** Counts the requests to all folders from now on. */
function counting(): Map<string, number> {
  const counts = new Map<string, number>()
  const prototype = FileStore.prototype
  for (const name of ['put', 'get', 'head', 'delete', 'list'] as const) {
    const original: (...given: never[]) => unknown = prototype[name]
    Object.defineProperty(prototype, name, {
      value(this: FileStore, ...given: never[]) {
        counts.set(name, (counts.get(name) ?? 0) + 1)
        return original.apply(this, given)
      },
    })
  }
  return counts
}

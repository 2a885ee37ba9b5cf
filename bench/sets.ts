// The cost of backing up many small databases, each into a set of its own, and of the verdict on them: requests to the store, seconds and
// memory, in a folder. Run by hand: node bench/sets.ts [databases]. docs/scale.md has the figures.
// oxlint-disable-next-line import/no-unassigned-import -- the program's own settings of the process, which its memory depends on
import '../src/process/v8-flags.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { type Command, definitionOf } from '../src/commands/all.ts'
import { matrixOf, planOutput } from '../src/commands/plan/outputs.ts'
import type { PlanResult } from '../src/commands/plan/result.ts'
import { runCommand, statusOf } from '../src/commands/run-command.ts'
import { FileStore } from '../src/stores/file/store.ts'
import { clientDirectory, startServer } from '../test/support/postgres-server.ts'
import { IDENTITY } from './snapshots.ts'

const databases = Number(process.argv[2] ?? 40)
const folder = mkdtempSync(path.join(tmpdir(), 'bench-sets-'))
const server = await startServer(17)
const requests = counting()
try {
  for (let index = 0; index < databases; index++) await server.createDatabase(`shop_${index}`)
  const variables = { PATH: `${clientDirectory(17)}:${process.env['PATH'] ?? ''}`, DATABASE_URL: server.url('').replace(/\/$/, '') }
  const store = { destination: `file:${folder}/store`, 'encryption-key': IDENTITY }
  const environment = { variables, signal: new AbortController().signal, temporary: path.join(folder, 'tmp'), now: () => new Date(), report: { info: () => undefined, warning: console.warn, progress: () => undefined, mask: () => undefined } }

  async function measured(what: string, command: Command, given: Record<string, string>): Promise<unknown> {
    requests.clear()
    const [started, cpu] = [performance.now(), process.cpuUsage()]
    const outcome = await runCommand(command, given, environment)
    if (statusOf(outcome) !== 0) throw new Error(definitionOf(command).text(outcome.result, { program: 'lifeboat', ...outcome.shown }))
    const { user, system } = process.cpuUsage(cpu)
    const counted = [...requests].map(([name, count]) => `${name} ${each(count)}`).join(', ')
    const memory = process.resourceUsage().maxRSS / 1024
    console.log(`${what}: ${each((performance.now() - started) / 1000)} s, ${each((user + system) / 1e6)} s of CPU, and these requests a database: ${counted || 'none'}; ${memory.toFixed(0)} MiB`)
    return outcome.result
  }

  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the result of this command
  const plan = (await measured('plan', 'plan', { 'database-url': variables.DATABASE_URL, databases: 'shop_*', 'max-jobs': '1' })) as PlanResult
  const part = JSON.stringify(JSON.parse(matrixOf(plan)).include[0])
  for (const what of ['first backup', 'second backup', 'third backup']) await measured(what, 'backup', { ...store, part })
  const given = { ...store, plan: planOutput(plan) }
  await measured('verdict', 'verdict', given)
  console.log(`${planOutput(plan).length / databases} characters of the output plan, ${matrixOf(plan).length / databases} of the matrix, a database`)
} finally {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}

/** Of one database. */
function each(value: number): string {
  return (value / databases).toFixed(2)
}

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

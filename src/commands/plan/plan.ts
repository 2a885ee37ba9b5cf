import { randomBytes } from 'node:crypto'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { EVERY_DATABASE } from '../../inputs/chosen-databases.ts'
import { formatCount } from '../../report/format.ts'
import { newSnapshotId } from '../../repository/snapshot.ts'
import type { BackupSettings } from '../../sources/settings.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import { groupedByKind } from '../../sources/known-kinds.ts'
import { volumesIn } from '../../inputs/chosen-volumes.ts'
import { defaultsOf } from '../../inputs/group.ts'
import { backupOptions } from '../../inputs/kind-options.ts'
import { divide } from './divide.ts'
import type { PlanInputs } from './inputs.ts'
import { requirePassable } from './outputs.ts'
import type { PlannedItem, PlanResult } from './result.ts'
import { findDatabases } from '../sets/server-databases.ts'
import { named, ownSet, VOLUMES } from '../sets/set-names.ts'

/** Finds the databases of servers, measures them and the volumes, and divides them over jobs. */
export async function plan(inputs: PlanInputs, environment: Environment): Promise<PlanResult> {
  const context: SourceContext = { ...environment, clientInstall: inputs.clientInstall }
  const { list: servers, tunnel } = inputs.databases
  const settings = { tunnel, ...inputs.access, sizes: true, complete: true }
  const { chosen, leftOut, notChosen } = await findDatabases(servers, inputs.choice ?? EVERY_DATABASE, settings, context)
  const items: PlannedItem[] = chosen.map(({ server, name, size }) => (
    { set: ownSet(server, name), noun: 'database', ...named(server), name, size }
  ))
  items.push(...(await measured(inputs, context)))
  if (items.length === 0) throw nothingToDo(servers.length, leftOut.length, notChosen)
  const time = environment.now()
  const divided = divide(items, inputs.maxJobs)
  const jobs = divided.map((items, index) => ({ job: `${index + 1} of ${divided.length}`, size: sizeOf(items), items }))
  const result: PlanResult = {
    plan: newSnapshotId(time, randomBytes(4)),
    time: time.toISOString(),
    jobs,
    size: sizeOf(jobs),
    leftOut: leftOut.map(({ server, ...one }) => ({ ...one, ...named(server) })),
    notChosen,
  }
  requirePassable(result, environment)
  return result
}

/** The volumes with the bytes of their files that are selected. */
async function measured(inputs: PlanInputs, context: SourceContext): Promise<PlannedItem[]> {
  const { volumes, docker, access } = inputs
  const defaults = defaultsOf(backupOptions)
  const settings: BackupSettings = {
    ...access, tunnel: undefined, destinations: [], ...defaults, files: { ...defaults.files, onUnreadable: 'warn' }, docker,
  }
  const items: PlannedItem[] = []
  for (const [kind, given] of groupedByKind(volumesIn(volumes))) {
    for (const source of kind.sources(given, settings, context)) {
      const { name } = source
      try {
        await source.open()
        items.push({ set: ownSet(VOLUMES, name), noun: 'volume', name, size: (await source.measure?.()) ?? 0 })
      } finally {
        await source.close()
      }
    }
  }
  return items
}

function sizeOf(sized: readonly { size: number }[]): number {
  return sized.reduce((sum, { size }) => sum + size, 0)
}

function nothingToDo(servers: number, leftOut: number, notChosen: number): LifeboatError {
  const found = `${formatCount(servers, 'server has', 'servers have')} ${formatCount(notChosen, 'database')} that ` +
    `${notChosen === 1 ? 'is' : 'are'} not chosen, and ${leftOut} that ${leftOut === 1 ? 'is' : 'are'} left out`
  return new LifeboatError(`there is nothing to back up: ${found}`, {
    hint: marked`Check ‹databases›, and that the URL is that of the right server. A plan without a job would look like a backup.`,
  })
}

import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { choiceOf } from '../../inputs/chosen-databases.ts'
import { volumesIn } from '../../inputs/chosen-volumes.ts'
import { sourceNameOf } from '../../inputs/database-urls.ts'
import { planTag, verifiedTag } from '../../inputs/plan.ts'
import { parseEncryptionKey } from '../../repository/keys.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import { stopwatch } from '../../process/elapsed.ts'
import { findDatabases, type FoundDatabases, type ServerDatabase } from '../sets/server-databases.ts'
import { named, ownSet, VOLUMES } from '../sets/set-names.ts'
import { backup, NOT_BACKED_UP } from './backup.ts'
import type { BackupInputs } from './inputs.ts'
import { whileQuiet } from '../quiesce.ts'
import { type BackupResult, isFirst } from './result.ts'
import type { SetOutcome, SetsResult } from './sets-result.ts'
import { sourcesOf } from './sources.ts'

/** One of the sets: whose it is, and the inputs of its backup. */
type Task = Pick<SetOutcome, 'set' | 'noun' | 'server' | 'name'> & { inputs: BackupInputs }

/**
 * Backs up the databases of servers that are chosen, or those of a part of a plan, and the volumes, one after the other, each into a set of
 * its own. The failure of one does not stop the others.
 */
export async function backupSets(inputs: BackupInputs, environment: Environment): Promise<SetsResult> {
  const elapsed = stopwatch(environment)
  parseEncryptionKey(inputs.key)
  const { tasks, lacking, leftOut } = await tasksOf(inputs, environment)
  if (tasks.length + lacking.length === 0) {
    throw new LifeboatError('there is nothing to back up: no database of the servers is chosen', {
      hint: marked`Check ‹databases›, and that the URL is that of the right server.`,
    })
  }
  // A source that cannot be one, as a volume in the store, ends the run before any work; a later failure ends only its own set.
  for (const task of tasks) sourcesOf(task.inputs, { ...environment, clientInstall: inputs.clientInstall })
  const quiet = await whileQuiet(inputs.hooks, environment, async () => {
    const outcomes: SetOutcome[] = []
    for (const [index, task] of tasks.entries()) {
      environment.report.info(`${task.set}: ${index + 1} of ${tasks.length}`)
      outcomes.push(await outcomeOf(task, environment))
    }
    return outcomes
  }, NOT_BACKED_UP)
  const sets = [...quiet.result, ...lacking]
  const sum = (of: (backup: NonNullable<SetOutcome['backup']>) => number): number => {
    return sets.reduce((total, { backup }) => total + (backup ? of(backup) : 0), 0)
  }
  return {
    ...(inputs.part && { plan: inputs.part.plan }),
    ...(quiet.notResumed !== undefined && { notResumed: quiet.notResumed }),
    sets, leftOut, size: sum(({ size }) => size), added: sum(({ added }) => added), seconds: elapsed.seconds(),
  }
}

async function outcomeOf({ inputs, ...about }: Task, environment: Environment): Promise<SetOutcome> {
  try {
    const { recent: _, largest: __, recentTotal: ___, sources, ...result }: BackupResult = await backup(inputs, environment)
    const short = sources.map(({ addedByTable: ____, ...source }) => source)
    return { ...about, backup: { ...result, sources: short, first: isFirst(result) } }
  } catch (error) {
    environment.signal.throwIfAborted()
    const hint = error instanceof LifeboatError ? error.hint : undefined
    environment.report.warning(`${about.set} is not backed up: ${messageOf(error)}`, hint)
    return { ...about, problem: messageOf(error), ...(hint !== undefined && { hint }) }
  }
}

/** `lacking`: databases of the part that are not on their server. */
async function tasksOf(
  inputs: BackupInputs,
  environment: Environment,
): Promise<{ tasks: Task[]; lacking: SetOutcome[]; leftOut: SetsResult['leftOut'] }> {
  const { part, databases: { list: servers, tunnel }, volumes, access } = inputs
  const wanted = part?.databases.map(([server, name]) => ({ server, name }))
  const asked = wanted ? servers.filter(({ name }) => wanted.some(({ server }) => server === name)) : servers
  const context: SourceContext = { ...environment, clientInstall: inputs.clientInstall }
  const { chosen, leftOut } = await findDatabases(
    asked,
    part ? choiceOf(part.databases) : inputs.choice!,
    { tunnel, ssh: access.ssh, timeout: access.timeout, sizes: false, complete: wanted === undefined },
    context,
  )
  const lacking = (wanted ?? []).filter((one) => !chosen.some(({ server, name }) => server === one.server && name === one.name))
  const given = volumesIn(volumes).filter(({ name }) => part === undefined || part.volumes.includes(name))
  return {
    tasks: [...chosen.map((one) => databaseTask(one, inputs)), ...given.map((one) => volumeTask(one, inputs))],
    lacking: lacking.map((one) => goneOutcome(one, leftOut)),
    leftOut: wanted ? [] : leftOut.map(({ server, ...one }) => ({ ...one, ...named(server) })),
  }
}

function databaseTask({ server, name, location }: ServerDatabase, inputs: BackupInputs): Task {
  const set = ownSet(server, name)
  const databases = { ...inputs.databases, list: [{ name: sourceNameOf(name), ...location }] }
  const volumes = { ...inputs.volumes, list: [], include: [], exclude: [] }
  return { set, noun: 'database', ...named(server), name, inputs: { ...common(inputs, set), databases, volumes } }
}

function volumeTask({ name, location, patterns }: ReturnType<typeof volumesIn>[number], inputs: BackupInputs): Task {
  const set = ownSet(VOLUMES, name)
  const volumes = { ...inputs.volumes, list: [{ name, ...location }], include: [...patterns.include], exclude: [...patterns.exclude] }
  return { set, noun: 'volume', name, inputs: { ...common(inputs, set), databases: { list: [], tunnel: undefined }, volumes } }
}

function common(inputs: BackupInputs, set: string): BackupInputs {
  const { part, verify } = inputs
  // A write key leaves no proof.
  const verifies = verify !== 'none' && parseEncryptionKey(inputs.key).kind !== 'write'
  const tags = part ? [...inputs.tags, planTag(part.plan), ...(verifies ? [verifiedTag(verify)] : [])] : inputs.tags
  return { ...inputs, set, tags, choice: undefined, part: undefined, hooks: { ...inputs.hooks, containers: [], before: '', after: '' } }
}

function goneOutcome({ server, name }: Pick<ServerDatabase, 'server' | 'name'>, leftOut: FoundDatabases['leftOut']): SetOutcome {
  const why = leftOut.find((one) => one.server === server && one.name === name)?.why
  return {
    set: ownSet(server, name), noun: 'database', ...named(server), name,
    problem: why === undefined ? 'the database of the plan is not on its server any more' : `the database ${why} now`,
    hint: 'If it was dropped or renamed, run the whole workflow again: a new plan has the databases that there are then.',
  }
}

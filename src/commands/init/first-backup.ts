import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { parse, parseEach } from '../../inputs/parse.ts'
import { failureOf } from '../../report/failure.ts'
import { setOf, snapshotKeys } from '../../repository/catalog.ts'
import { openStore } from '../../stores/destination.ts'
import { backup } from '../backup/command.ts'
import { doctor } from '../doctor/command.ts'
import type { Answers } from './answers.ts'
import { hasRun, startWorkflow } from './github.ts'
import type { FirstBackup } from './result.ts'

/** `works`: whether doctor found no problem. `pushed`: whether the workflow may be at GitHub. */
export interface Situation {
  answers: Answers
  key: string | undefined
  wanted: boolean
  works: boolean
  pushed: boolean
  /** Of the set, of any key. */
  hasSnapshot: () => Promise<boolean>
}

const WORKFLOW = 'lifeboat-backup.yml'

export function isBackupWorkflow({ path }: { path: string }): boolean {
  return path.endsWith(`/${WORKFLOW}`)
}

/** Makes the first backup of the set and reads every byte back. For artifacts it starts the workflow, if that is at GitHub. */
export async function firstBackup(situation: Situation, environment: Environment): Promise<FirstBackup> {
  const { answers, key, wanted, works, pushed, hasSnapshot } = situation
  const { destination, gh, repository } = answers
  if (!wanted) return { state: 'not made', why: 'nobody asked for it' }
  if (destination.immutable) {
    const before = gh === 'ready' && pushed ? await hasRun(repository, WORKFLOW, environment) : undefined
    if (before === true) return { state: 'there' }
    const problem = before === false ? await startWorkflow(repository, WORKFLOW, environment) : 'the workflow has to be pushed first'
    return problem === undefined ? { state: 'started' } : { state: 'not made', why: problem }
  }
  if (!works) return { state: 'not made', why: 'doctor found a problem' }
  if (await hasSnapshot()) return { state: 'there' }
  if (key === undefined) return { state: 'not made', why: marked`‹encryption-key› was not given` }
  return made(answers, key, environment)
}

/** Throws (status 2) if a set that this run would make a new key for has backups: they need the key that they were made with. */
export async function requireNewSet({ destination, plan }: Answers, hasSnapshot: () => Promise<boolean>): Promise<void> {
  if (destination.immutable || !(await hasSnapshot())) return
  throw new LifeboatError(`${destination.text} has backups of the set ${plan.set}, and their key was not given`, {
    hint: marked`Give it as ‹encryption-key›; or, for backups with a new key, change ‹set› or ‹destination›. Nothing was changed.`,
    status: 2,
  })
}

/** Whether the set has a snapshot, of any key. */
export async function findSnapshot({ destinationText, plan }: Answers, environment: Environment): Promise<boolean> {
  const inputs = parseEach('doctor', doctor.inputs, { destination: destinationText }, environment.variables)
  const { destinations: [destination], access } = inputs
  const store = await openStore(destination, { ...access, set: plan.set }, environment)
  try {
    return (await snapshotKeys(store)).some((snapshot) => setOf(snapshot) === plan.set)
  } finally {
    await store.close()
  }
}

async function made({ databaseText, destinationText, plan }: Answers, key: string, environment: Environment): Promise<FirstBackup> {
  const inputs = parse('backup', backup.inputs, {
    verify: 'read',
    'database-url': databaseText,
    destination: destinationText,
    'encryption-key': key,
    set: plan.set,
    recipients: plan.recipients.join(','),
  }, environment.variables)
  try {
    const result = await backup.run(inputs, environment)
    const [problem] = backup.problems(result)
    if (problem !== undefined) throw new LifeboatError(problem)
    if ('sets' in result) throw new Error('a backup of one set has no others')
    const { snapshot, verified, size, stored, seconds } = result
    return { state: 'made', snapshot, verified, size, stored, seconds }
  } catch (error) {
    environment.signal.throwIfAborted()
    throw new LifeboatError(`everything is set up, but the first backup failed: ${messageOf(error)}`, {
      hint: marked`${failureOf(error).hint ?? ''} Then run ‹lifeboat init› again: it changes nothing that is set up.`.trim(),
      cause: error,
    })
  }
}

import { createHash } from 'node:crypto'
import type { Environment } from '../environment.ts'
import { messageOf } from '../error.ts'
import type { Inputs } from '../inputs.ts'
import { formatDuration, issueText } from '../report/freshness.ts'
import { Repository } from '../report/github.ts'
import { warningOf } from '../report/report.ts'
import { type Freshness, freshnessOf } from '../repository/freshness.ts'
import { destinationText } from '../stores/destination.ts'
import { withStore } from './opened.ts'
import type { CheckResult } from './results.ts'

/** Says whether the newest verified snapshot, and the newest proof, of a set or of all are new enough; with `issue`, keeps one GitHub issue open for as long as they are not. */
export async function check(inputs: Inputs['check'], environment: Environment): Promise<CheckResult> {
  const { report } = environment
  const found = await withStore({ ...inputs, 'encryption-key': inputs['encryption-key'] }, environment, async (store, keys) => ({
    store: store.name,
    sets: await freshnessOf(store, keys, inputs.set, inputs['proof-level'], warningOf(report)),
  }))
  const now = environment.now()
  const sets = found.sets.map((one) => ({ ...one, problems: problemsOf(one, inputs, now) }))
  const problems = sets.length > 0 ? sets.flatMap(({ set, problems }) => problems.map((problem) => `set ${set}: ${problem}`)) : [inputs.set === undefined ? 'there is no snapshot at all' : `set ${inputs.set}: there is no snapshot`]
  const repository = repositoryOf(inputs, environment)
  const inactive = await inactiveWorkflows(repository, environment)
  const result: CheckResult = { store: found.store, time: now.toISOString(), sets, problems, inactive }
  if (inputs.issue) {
    if (!repository) report.warning('no issue is opened or closed: GITHUB_REPOSITORY or the token is missing', 'In a workflow both are there; elsewhere set GITHUB_REPOSITORY and GITHUB_TOKEN.')
    else result.issue = await keepIssue(repository, result, inputs, environment)
  }
  return result
}

function problemsOf({ newest, verified, proof }: Freshness, inputs: Inputs['check'], now: Date): string[] {
  const { 'max-age': maxAge, 'max-proof-age': maxProofAge, 'proof-level': level } = inputs
  const problems: string[] = []
  const age = (time: string): number => now.getTime() - Date.parse(time)
  if (!verified) problems.push(`no snapshot is verified; the newest is ${newest}`)
  else if (age(verified.time) > maxAge) problems.push(`the newest verified snapshot, ${verified.snapshot}, is ${formatDuration(age(verified.time))} old, more than ${formatDuration(maxAge)}`)
  if (maxProofAge === undefined) return problems
  if (!proof) problems.push(`nothing was ever verified at level ${level}`)
  else if (age(proof.time) > maxProofAge) problems.push(`the newest verification at level ${level}, of ${proof.snapshot}, is ${formatDuration(age(proof.time))} old, more than ${formatDuration(maxProofAge)}`)
  return problems
}

function repositoryOf({ token, timeout }: Inputs['check'], { variables, signal }: Environment): Repository | undefined {
  const { GITHUB_REPOSITORY: repository, GITHUB_API_URL: api } = variables
  return token && repository && /^[\w.-]+\/[\w.-]+$/.test(repository) ? new Repository({ repository, api, token, signal, timeout }) : undefined
}

/** A schedule that was switched off is why a backup will be missing; that it could not be looked up says nothing about the backups there are. */
async function inactiveWorkflows(repository: Repository | undefined, { report, signal }: Environment): Promise<CheckResult['inactive']> {
  if (!repository) return []
  try {
    const inactive = await repository.inactiveWorkflows()
    for (const { name, path } of inactive) report.warning(`GitHub has switched off the schedule of the workflow ${name} (${path}), as nothing happened in the repository for 60 days`, 'Enable it again on the Actions page of the repository; a commit now and then keeps it on.')
    return inactive
  } catch (error) {
    signal.throwIfAborted()
    report.info(`whether GitHub has switched off a schedule could not be found out: ${messageOf(error)}`)
    return []
  }
}

async function keepIssue(repository: Repository, result: CheckResult, inputs: Inputs['check'], { run }: Environment): Promise<CheckResult['issue']> {
  const place = destinationText(inputs.destination)
  // One issue for each store and set that is checked.
  const marker = `<!-- lifeboat check ${createHash('sha256').update(`${place}\n${inputs.set ?? ''}`).digest('hex').slice(0, 16)} -->`
  const text = issueText(result, { destination: place, timeZone: inputs.timezone, ...(run && { run: run.url }) })
  if (result.problems.length === 0) {
    const closed = await repository.closeIssue(marker, text)
    return closed && { ...closed, state: 'closed' }
  }
  const { opened, ...issue } = await repository.openIssue(marker, `Backups are not fresh${inputs.set === undefined ? '' : `: set ${inputs.set}`}`, text)
  return { ...issue, state: opened ? 'opened' : 'updated' }
}

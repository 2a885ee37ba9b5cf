import { createHash } from 'node:crypto'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { dependedOn } from '../artifacts.ts'
import { repositoryOf } from '../github.ts'
import { failureOf, redactedFailure } from '../../report/failure.ts'
import { isOfOtherKey, noneOfKeyText, unmetConditions } from './conditions.ts'
import type { CheckInputs } from './inputs.ts'
import { failureIssueText, issueText, passedOver, PASSED_OVER } from './report.ts'
import { GitHubRepository } from '../../notify/github-issues.ts'
import { formatCount } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import { namedSets, setsOf } from '../../repository/catalog.ts'
import { type Freshness, freshnessOf } from '../../repository/freshness.ts'
import { compareRecoveryFiles, withStore } from '../with-store.ts'
import type { CheckResult } from './result.ts'

/**
 * Says whether the newest snapshot of a set, or of all, that is verified and whole, and the newest proof, are new enough, and none after
 * it is damaged; with `issue`, keeps one GitHub issue open for as long as they are not, or cannot be looked at.
 */
export async function check(inputs: CheckInputs, environment: Environment): Promise<CheckResult> {
  const { report } = environment
  const repository = repositoryOf(inputs.access, environment)
  if (inputs.issue && !repository) {
    report.warning(
      'no issue is opened or closed: GITHUB_REPOSITORY or the token is missing',
      'In a workflow both are there; elsewhere set GITHUB_REPOSITORY and GITHUB_TOKEN.',
    )
  }
  const issue = inputs.issue && repository ? issueOf(repository, inputs, environment) : undefined
  let found
  try {
    found = await look(inputs, environment)
  } catch (error) {
    environment.signal.throwIfAborted()
    await issue?.tellFailure(error)
    throw error
  }
  const now = environment.now()
  const judged = found.sets.map((one) => ({ one, unmet: unmetConditions(one, inputs.conditions, now) }))
  // An issue is written before the entry reads the result.
  const redact = redactionOf(environment)
  const sets: CheckResult['sets'] = judged.map(({ one, unmet }) => ({
    ...one,
    problems: unmet.map(({ problem }) => redact(problem)),
    ...(unmet.length > 0 && unmet.every(({ ofProof }) => ofProof) && { unproven: true }),
  }))
  for (const text of sets.flatMap(passedOver)) report.warning(text, PASSED_OVER)
  const advice = [...new Set(judged.flatMap(({ unmet }) => unmet.flatMap(({ advice = [] }) => advice)))].map(redact)
  const problems = sets.length > 0
    ? sets.flatMap(({ set, problems }) => problems.map((problem) => redact(`set ${set}: ${problem}`)))
    : [redact(nothingThere(inputs.set, found.others))]
  const inactive = await inactiveWorkflows(repository, environment)
  const { store, artifacts, lost } = found
  const parts = { ...(artifacts && { artifacts }), ...(lost && { lost }) }
  const result: CheckResult = { store, time: now.toISOString(), sets, problems, advice, inactive, ...parts }
  return issue ? { ...result, issue: await issue.tell(result) } : result
}

/** Issues and summaries are read by more people than logs are, and nothing masks what is in them. */
function redactionOf({ report }: Environment): (text: string) => string {
  return (text) => report.redacted?.(text) ?? text
}

/** `others`: the sets that have snapshots, if the one given has none. */
function nothingThere(set: string | undefined, others: readonly string[]): string {
  if (set === undefined) return 'no backup has finished here yet; run backup again'
  return `set ${set}: there is no snapshot${others.length > 0 ? `; there are snapshots in ${namedSets(others)}` : ''}`
}

type Found = Pick<CheckResult, 'store' | 'artifacts' | 'lost'> & { sets: Freshness[]; others: string[] }

function look(inputs: CheckInputs, environment: Environment): Promise<Found> {
  return withStore(inputs, environment, async (store, keys) => {
    await compareRecoveryFiles(store, environment)
    const sets = await freshnessOf(
      store,
      keys,
      inputs.set,
      { level: inputs.conditions.proofLevel, now: environment.now(), onDamaged: warningOf(environment.report) },
    )
    requireKeyOf(sets)
    const redact = redactionOf(environment)
    return {
      store: store.name,
      ...(await dependedOn(store)),
      others: sets.length === 0 ? await setsOf(store) : [],
      sets: sets.map(
        ({ unreadable, unsound, ...one }) => ({
          ...one,
          unsound: unsound.map((found) => ({ ...found, why: redact(found.why) })),
          ...(unreadable !== undefined && { unreadable: redact(unreadable) }),
        }),
      ),
    }
  })
}

/** Throws if no set that was found has a snapshot of the key given: then nothing is known about their age. */
function requireKeyOf(sets: readonly Freshness[]): void {
  const others = sets.filter(isOfOtherKey)
  if (sets.length === 0 || others.length < sets.length) return
  const [first] = others
  const more = others.length > 1 ? `; the same is true of ${formatCount(others.length - 1, 'more set')}` : ''
  throw new LifeboatError(
    `set ${first!.set}: ${noneOfKeyText(first!)}${more}`,
    { hint: 'Give the key that these backups are made with. Whether they are fresh could not be determined with this one.' },
  )
}

/**
 * A schedule that was switched off is why a backup will be missing; that it could not be looked up says nothing about the backups there
 * are.
 */
async function inactiveWorkflows(
  repository: GitHubRepository | undefined,
  { report, signal }: Environment,
): Promise<CheckResult['inactive']> {
  if (!repository) return []
  try {
    const inactive = await repository.inactiveWorkflows()
    for (const { name, path } of inactive) {
      report.warning(
        `GitHub has switched off the schedule of the workflow ${name} (${path}), as nothing happened in the repository for 60 days`,
        'Enable it again on the Actions page of the repository; a commit now and then keeps it on.',
      )
    }
    return inactive
  } catch (error) {
    signal.throwIfAborted()
    report.info(`whether GitHub has switched off a schedule could not be found out: ${messageOf(error)}`)
    return []
  }
}

/** The one issue for the store, and the set, that is checked: open for as long as something is wrong with them. */
function issueOf(repository: GitHubRepository, inputs: CheckInputs, environment: Environment) {
  const { run, report, signal } = environment
  const redact = redactionOf(environment)
  const place = inputs.destination.text
  const marker = `<!-- lifeboat check ${createHash('sha256').update(`${place}\n${inputs.set ?? ''}`).digest('hex').slice(0, 16)} -->`
  const shown = { destination: redact(place), timeZone: inputs.timeZone, ...(run && { run: run.url }) }
  const about = inputs.set === undefined ? '' : `: set ${inputs.set}`
  return {
    async tell(result: CheckResult): Promise<CheckResult['issue']> {
      const text = issueText(result, shown)
      if (result.problems.length === 0) {
        const closed = await repository.closeIssue(marker, text)
        return closed && { ...closed, state: 'closed' }
      }
      const { opened, ...issue } = await repository.openIssue(marker, `Backups are not fresh${about}`, text)
      return { ...issue, state: opened ? 'opened' : 'updated' }
    },
    /** The caller reports why the backups cannot be checked; a failure to write the issue is reported in addition. */
    async tellFailure(error: unknown): Promise<void> {
      const failure = redactedFailure(failureOf(error), redact)
      try {
        const { opened, url } = await repository.openIssue(
          marker,
          `Backups cannot be checked${about}`,
          failureIssueText(failure, environment.now(), shown),
        )
        report.info(`issue ${opened ? 'opened' : 'updated'}: ${url}`)
      } catch (problem) {
        signal.throwIfAborted()
        report.warning(`no issue was opened: ${messageOf(problem)}`, problem instanceof LifeboatError ? problem.hint : undefined)
      }
    },
  }
}

import { createHash } from 'node:crypto'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked, markedCommand } from '../../marks.ts'
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
import type { Destination } from '../../stores/destination.ts'
import { compareRecoveryFiles, withStore } from '../with-store.ts'
import type { CheckResult } from './result.ts'

/**
 * Says whether the newest snapshot of a set, or of all, that is verified and whole, and the newest proof, are new enough, and none after
 * it is damaged, in each destination; with `issue`, keeps one GitHub issue open for as long as they are not, or cannot be looked at.
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
    found = await lookAtEach(inputs, environment)
  } catch (error) {
    environment.signal.throwIfAborted()
    await issue?.tellFailure(error)
    throw error
  }
  const now = environment.now()
  const several = found.length > 1
  const looked = found.filter((one) => 'sets' in one)
  const judged = looked.map((one) => judge(one, inputs, now, several ? looked : [], environment))
  const sets = judged.flatMap((one) => one.sets)
  for (const text of sets.flatMap(passedOver)) report.warning(text, PASSED_OVER)
  const unlooked = found.flatMap((one) => ('problem' in one ? one : []))
  const inactive = await inactiveWorkflows(repository, environment)
  const [artifacts, lost] = [looked.flatMap((one) => one.artifacts ?? []), looked.flatMap((one) => one.lost ?? [])]
  const problems = [
    ...unlooked.map(({ store, problem }) => `${store} could not be looked at: ${problem}`),
    ...judged.flatMap((one) => one.problems),
  ]
  const hints = unlooked.flatMap(({ store, hint }) => (hint === undefined ? [] : [`${store}: ${hint}`]))
  const result: CheckResult = {
    store: found.map(({ store }) => store).join(' and '),
    ...(several && { stores: found.map((one) => 'problem' in one
      ? { name: one.store, problems: 1, problem: one.problem }
      : { name: one.store, problems: judged[looked.indexOf(one)]!.problems.length }) }),
    time: now.toISOString(),
    sets,
    problems,
    advice: [...new Set([...hints, ...judged.flatMap((one) => one.advice)])],
    inactive,
    ...(looked.some((one) => one.artifacts) && { artifacts }),
    ...(lost.length > 0 && { lost }),
  }
  return issue ? { ...result, issue: await issue.tell(result) } : result
}

/** Issues and summaries are read by more people than logs are, and nothing masks what is in them. */
function redactionOf({ report }: Environment): (text: string) => string {
  return (text) => report.redacted?.(text) ?? text
}

/** Judges the sets of a store. `among`: of several destinations, those that were looked at: each must have the sets of all. */
function judge(
  found: Found,
  { set: wanted, conditions }: Pick<CheckInputs, 'set' | 'conditions'>,
  now: Date,
  among: readonly Found[],
  environment: Environment,
): Pick<CheckResult, 'sets' | 'problems' | 'advice'> {
  const { store } = found
  const several = among.length > 0
  // An issue is written before the entry reads the result.
  const redact = redactionOf(environment)
  const about = (problem: string): string => redact(several ? `${store}: ${problem}` : problem)
  const judged = found.sets.map((one) => ({ one, unmet: unmetConditions(one, conditions, now) }))
  const sets: CheckResult['sets'] = judged.map(({ one, unmet }) => ({
    ...one,
    ...(several && { store }),
    problems: unmet.map(({ problem }) => redact(problem)),
    ...(unmet.length > 0 && unmet.every(({ ofProof }) => ofProof) && { unproven: true }),
  }))
  const own = new Set(sets.map(({ set }) => set))
  const everywhere = among.flatMap(({ sets, place }) =>
    sets.flatMap(({ set, newest }) => (newest === undefined ? [] : [[set, place] as const])))
  const lacking = new Map(everywhere.filter(([set]) => !own.has(set)))
  const copies = [...lacking].map(([set, from]) => {
    return `Copy what ${found.place} lacks: ${markedCommand('copy', { from, destination: found.place, set })}.`
  })
  const advised = (text: string): string => several ? marked`In ${store}, with ‹destination: ${found.place}›: ${text}` : text
  const told = judged.flatMap(({ unmet }) => unmet.flatMap(({ advice = [] }) => advice)).map(advised)
  return {
    sets,
    problems: [
      ...sets.flatMap(({ set, problems }) => problems.map((problem) => about(`set ${set}: ${problem}`))),
      ...[...lacking].map(([set, from]) => about(`set ${set}: there is no snapshot, and ${from} has some`)),
      ...(sets.length + lacking.size === 0 ? [about(nothingThere(wanted, found.others))] : []),
    ],
    advice: [...told, ...copies].map(redact),
  }
}

/** `others`: the sets that have snapshots, if the one given has none. */
function nothingThere(set: string | undefined, others: readonly string[]): string {
  if (set === undefined) return 'no backup has finished here yet; run backup again'
  return `set ${set}: there is no snapshot${others.length > 0 ? `; there are snapshots in ${namedSets(others)}` : ''}`
}

/** `place`: the destination, as a command is given it. */
type Found = Pick<CheckResult, 'store' | 'artifacts' | 'lost'> & { place: string; sets: Freshness[]; others: string[] }

interface Unlooked {
  store: string
  problem: string
  hint?: string
}

/** One destination that cannot be looked at does not hide what is known of the others. Throws if none can be: the error of the first. */
async function lookAtEach(inputs: CheckInputs, environment: Environment): Promise<(Found | Unlooked)[]> {
  const redact = redactionOf(environment)
  const failures: unknown[] = []
  const found: (Found | Unlooked)[] = []
  for (const destination of inputs.destinations) {
    try {
      found.push(await look(destination, inputs, environment))
    } catch (error) {
      environment.signal.throwIfAborted()
      if (!(error instanceof LifeboatError)) throw error
      failures.push(error)
      const { hint } = error
      found.push({ store: redact(destination.text), problem: redact(error.message), ...(hint !== undefined && { hint: redact(hint) }) })
    }
  }
  if (failures.length === found.length) throw failures[0]
  return found
}

function look(destination: Destination, inputs: CheckInputs, environment: Environment): Promise<Found> {
  return withStore({ ...inputs, destination }, environment, async (store, keys) => {
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
      store: redact(store.name),
      place: destination.text,
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
  const place = inputs.destinations.map(({ text }) => text).join('\n')
  const marker = `<!-- lifeboat check ${createHash('sha256').update(`${place}\n${inputs.set ?? ''}`).digest('hex').slice(0, 16)} -->`
  const shown = { destination: redact(place.replaceAll('\n', ' and ')), timeZone: inputs.timeZone, ...(run && { run: run.url }) }
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

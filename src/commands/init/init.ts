import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { parseEach } from '../../inputs/parse.ts'
import { secretsIn } from '../../report/redaction.ts'
import { type Finding, withoutAdvice } from '../../report/finding.ts'
import { doctor as doctorCommand } from '../doctor/command.ts'
import { doctor, tryDatabases } from '../doctor/doctor.ts'
import { doctorText } from '../doctor/report.ts'
import { type Answers, answersOf } from './answers.ts'
import { type PlannedChanges, type PlannedSecret, secretsOf, stateOf, stateOfFile } from './changes.ts'
import { diffOf, plannedFiles, WORKFLOWS, writeFiles } from './files.ts'
import { findSnapshot, firstBackup, isBackupWorkflow, requireNewSet, type Situation } from './first-backup.ts'
import { isUncommitted, setSecret } from './github.ts'
import type { InitInputs } from './inputs.ts'
import { savedKey } from './key.ts'
import { Questions } from './questions.ts'
import { planText } from './report.ts'
import type { InitResult } from './result.ts'
import { workflowsOf } from './workflows.ts'

/** Sets up the backups of a repository. Nothing is changed before everything is known, tried, shown and agreed to. */
export async function init(inputs: InitInputs, environment: Environment): Promise<InitResult> {
  const { permission } = inputs
  environment.leaves?.('nothing was changed in the repository')
  const questions = new Questions(environment)
  const answers = await answersOf(inputs, questions, environment)
  for (const { value } of secretsOf(answers, answers.key)) for (const one of secretsIn(value ?? '')) environment.report.mask(one)
  const checks = await examine(answers, environment)
  environment.report.info(`\n${doctorText({ checks, inputs: [] })}`)
  warnOfOwnMachine(answers, environment)
  if (permission.noRecovery) {
    environment.report.warning('your key alone opens the backups: if it is lost, nobody can read them',
      marked`Keep it in two safe places; or give ‹recipients›, with the identity in a safe.`)
  }
  const works = await acceptProblems(checks, permission.ignoreProblems, questions)

  let found: Promise<boolean> | undefined
  const hasSnapshot = (): Promise<boolean> => (found ??= findSnapshot(answers, environment))
  const wanted = permission.firstBackup && works
  const key = answers.key ?? await keyFor(answers, { wanted, works, hasSnapshot }, questions, environment)
  const files = plannedFiles(answers.top, WORKFLOWS, workflowsOf({ ...answers.plan, major: majorIn(checks) }))
  const toWrite = files.filter(({ before, after }) => before === undefined || (permission.force && before !== after))
  const secrets = secretsOf(answers, key).map((secret) => ({ ...secret, state: stateOf(secret, answers, permission) }))
  const makesBackup = wanted && key !== undefined && !answers.destination.immutable
  await requireAgreed({ files, toWrite, secrets, makesBackup, answers }, permission.yes, questions, environment)

  environment.leaves?.(
    `some secrets of ${answers.repository} may be set, and no workflow was written`,
    marked`Run ‹lifeboat init› again, with the same key.`,
  )
  const set = await setSecrets(answers.repository, secrets, environment)
  environment.signal.throwIfAborted()
  writeFiles(answers.top, toWrite)
  environment.leaves?.('secrets and workflows are set up, without a first backup', marked`Run ‹lifeboat init› again for one.`)
  const pushed = !toWrite.some(isBackupWorkflow)
  const first = await firstBackup({ answers, key, wanted: permission.firstBackup, works, pushed, hasSnapshot }, environment)
  return {
    repository: answers.repository,
    set: answers.plan.set,
    destination: answers.destination.text,
    runner: answers.plan.runner,
    databases: answers.databases.map(({ name }) => name),
    ...(answers.databases.length === 1 && answers.databases[0]!.confirm !== undefined && { confirm: answers.databases[0]!.confirm }),
    checks,
    key: key === undefined ? 'kept' : answers.key === undefined && !answers.mayHaveKey ? 'new' : 'given',
    uncommitted: await isUncommitted(answers.top, files.map(({ path }) => path), environment),
    files: files.map((file) => ({ path: file.path, state: stateOfFile(file, toWrite) })),
    secrets: set,
    first,
  }
}

/** Runs doctor on the database and, if it can be reached from here, the store. */
async function examine(answers: Answers, environment: Environment): Promise<Finding[]> {
  const { databaseText, destination, destinationText, plan, key } = answers
  const raw = {
    'database-url': databaseText,
    destination: destinationText,
    set: plan.set,
    ...(key !== undefined && { 'encryption-key': key }),
  }
  environment.report.info('Testing the database and the destination …')
  const inputs = parseEach('doctor', doctorCommand.inputs, raw, environment.variables)
  // Only a workflow can write artifacts.
  if (destination.immutable) return (await tryDatabases(inputs, environment)).findings
  // Good checks advise a backup, which this run makes itself.
  return (await doctor(inputs, environment)).checks.map(withoutAdvice)
}

/** Warns of a database that a runner elsewhere would look for on itself. */
function warnOfOwnMachine({ databases, plan }: Answers, { report }: Environment): void {
  if (!plan.runner.startsWith('ubuntu-')) return
  for (const { name, url } of databases) {
    if (!/[/@](?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?:[:/?]|$)/.test(url)) continue
    report.warning(`${name} is a database on this machine, which a runner of GitHub does not reach`,
      marked`Give the URL that the runner has to use, or a runner of your own: ‹runner: self-hosted›.`)
  }
}

/** Whether all is well. Throws if it is not, and the user does not want to go on. */
async function acceptProblems(checks: Finding[], ignore: boolean, questions: Questions): Promise<boolean> {
  if (checks.every(({ state }) => state !== 'bad')) return true
  const question = '\nThe workflow may reach what this machine does not. Go on without a first backup?'
  if (ignore || (questions.answered && await questions.agreed(question))) return false
  const bad = checks.filter(({ state }) => state === 'bad')
  const found = bad.map(({ about, says }) => `${about}: ${says}`).join('; ')
  throw new LifeboatError(`doctor found what keeps a backup from working: ${found}`, {
    hint: `${bad.flatMap(({ fix }) => fix ?? []).join(' ')} Nothing was changed.`.trim(),
  })
}

/** A key that was not given: a new one, or that of the repository for the first backup, if somebody knows it. */
async function keyFor(
  answers: Answers, { wanted, works, hasSnapshot }: Pick<Situation, 'wanted' | 'works' | 'hasSnapshot'>, questions: Questions,
  environment: Environment,
): Promise<string | undefined> {
  if (!answers.mayHaveKey) {
    if (works) await requireNewSet(answers, hasSnapshot)
    const key = await savedKey(questions, environment)
    environment.leaves?.('nothing was changed in the repository', 'The key that you saved opens nothing: the next run makes another.')
    return key
  }
  if (!wanted || !questions.answered || answers.destination.immutable || await hasSnapshot()) return undefined
  const question = '\nThe key of the repository, to make the first backup now, or Enter for none (your input is not shown): '
  return await questions.text('encryption-key', question, '') || undefined
}

/** The major version of the newest server. */
function majorIn(checks: readonly Finding[]): number | undefined {
  const majors = checks.flatMap(({ says }) => /^PostgreSQL (\d+)/.exec(says)?.[1] ?? []).map(Number)
  return majors.length === 0 ? undefined : Math.max(...majors)
}

/** Shows everything that will be changed, and throws if nobody wants that. */
async function requireAgreed(changes: PlannedChanges, yes: boolean, questions: Questions, { report }: Environment): Promise<void> {
  const { files, toWrite, secrets, makesBackup } = changes
  const shown = [diffOf(files), planText(changes)].filter((text) => text !== '').join('\n\n')
  const nothing = toWrite.length === 0 && !makesBackup && secrets.every(({ state }) => state !== 'set')
  if (yes || nothing) return report.info(shown)
  if (await questions.agreed(`\n${shown}\n\nDo this?`)) return
  throw new LifeboatError('the changes were refused', { hint: 'Nothing was changed.' })
}

/** Sets those that are to be set; one that cannot be is left for the user to make. */
async function setSecrets(repository: string, secrets: readonly PlannedSecret[], environment: Environment): Promise<InitResult['secrets']> {
  const done: InitResult['secrets'] = []
  for (const { name, value, state } of secrets) {
    const problem = state === 'set' ? await setSecret(repository, name, value!, environment) : undefined
    if (problem !== undefined) environment.report.warning(`gh could not set the secret ${name} of ${repository}: ${problem}`)
    done.push({ name, state: problem === undefined ? state : 'to make' })
  }
  return done
}

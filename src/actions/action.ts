import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { inspect } from 'node:util'
import * as core from '@actions/core'
import { RUN_VARIABLE } from '../process/child.ts'
import { type Action, inputsOf } from '../commands/all.ts'
import {
  afterFailure,
  type CommandOutcome,
  failureOutputs,
  headlineOf,
  isFailure,
  outputValues,
  problemsOf,
  redacted,
  runCommand,
  statusOf,
  summaryOf,
  textOf,
} from '../commands/run-command.ts'
import type { Environment, Variables } from '../environment.ts'
import { messageOf } from '../error.ts'
import { exit } from '../process/exit.ts'
import { secretsGiven } from '../inputs/secrets.ts'
import { failureOf, failureSummary, failureText, redactedFailure } from '../report/failure.ts'
import { atMostTen } from '../report/annotations.ts'
import { inertText } from '../report/inert.ts'
import { Redaction } from '../report/redaction.ts'
import { workflowReport } from '../report/workflow.ts'
import { withEnvironment } from '../process/lifecycle.ts'
import { requireSupportedRunner } from '../process/platform.ts'
import { stagingFolder } from '../process/staging.ts'
import { VERSION } from '../version.ts'
import { inWorkflow } from './spelling.ts'

/** One of the actions, as a step of a workflow: reads the inputs, runs the command, sets the outputs, exits with its status. */
export async function runAction(command: Action): Promise<void> {
  const started = new Date()
  const variables = process.env
  const redaction = new Redaction({ spelling: inWorkflow, announce: core.setSecret })
  const raw = rawInputs(command, variables)
  for (const secret of secretsGiven(inputsOf(command), raw, variables)) redaction.add(secret)

  const id = randomUUID()
  process.env[RUN_VARIABLE] = id
  // Without a file for it this would be a line in the log.
  if (variables['GITHUB_STATE']) core.saveState('run', id)

  const { info: line, startGroup, endGroup } = core
  const report = workflowReport(
    { line, startGroup, endGroup, warning: (text) => core.warning(text, { title: `Lifeboat ${command}` }) },
    redaction,
  )
  let status: number
  let all: typeof raw | undefined
  const temporaryRoot = variables['RUNNER_TEMP'] || tmpdir()
  try {
    requireSupportedRunner(process.platform, process.arch)
    const outcome = await withEnvironment(
      { variables, report, temporaryRoot, id, run: workflowRun(variables) },
      (environment) => runCommand(command, raw, environment, (known) => (all = known)),
    ).finally(() => report.end())
    status = await conclude(redacted(outcome, redaction), redaction, variables)
  } catch (error) {
    const temporary = stagingFolder(temporaryRoot, id)
    const askMore = async () => all && afterFailure(command, all, { variables, temporary }, redaction, started)
    status = await fail(command, error, redaction, askMore)
  }
  // Exits even if handles are still open.
  exit(status)
}

/** Every `INPUT_…` there is: a misspelled input arrives as well, and is refused like any unknown one. */
function rawInputs(command: Action, variables: Variables): Record<string, string | undefined> {
  const raw: Record<string, string | undefined> = Object.fromEntries(
    inputsOf(command).map(([name]) => [name, variables[`INPUT_${name.toUpperCase()}`]]),
  )
  for (const [variable, value] of Object.entries(variables)) {
    if (variable.startsWith('INPUT_')) raw[variable.slice('INPUT_'.length).toLowerCase()] = value
  }
  return raw
}

/** GitHub's documentation, "Variables reference", has these. */
function workflowRun(variables: Variables): Environment['run'] {
  const {
    GITHUB_REPOSITORY: repository,
    GITHUB_WORKFLOW: workflow,
    GITHUB_RUN_ID: id,
    GITHUB_RUN_ATTEMPT: attempt,
    GITHUB_SERVER_URL: server,
  } = variables
  if (!repository || !id) return undefined
  return {
    repository,
    workflow: workflow ?? '',
    id,
    attempt: attempt ?? '1',
    url: `${server ?? 'https://github.com'}/${repository}/actions/runs/${id}`,
  }
}

async function conclude<A extends Action>(outcome: CommandOutcome<A>, redaction: Redaction, variables: Variables): Promise<number> {
  core.info(inertText(redaction.apply(textOf(outcome, 'lifeboat'))))
  setOutputs(outputValues(outcome))
  const status = statusOf(outcome)
  const title = titleOf(outcome.command, status)
  if (status === 0) core.notice(inertText(redaction.apply(headlineOf(outcome))), { title })
  else for (const text of atMostTen(problemsOf(outcome))) core.error(inertText(redaction.apply(text)), { title })
  const { GITHUB_ACTION_REPOSITORY: action, GITHUB_ACTION_REF: reference } = variables
  const summary = summaryOf(outcome, { action: action || 'OWNER/lifeboat', reference: reference || `v${VERSION}`, now: new Date() })
  await writeSummary(redaction.apply(summary))
  return status
}

function titleOf(command: Action, status: number): string {
  return { 0: `Lifeboat ${command}`, 3: `Lifeboat ${command}: could not verify` }[status] ?? `Lifeboat ${command} failed`
}

/** Reports the failure first; only then, and not when cancelled, more is asked for, which may take some seconds. */
async function fail(command: Action, error: unknown, redaction: Redaction, askMore: () => Promise<string | undefined>): Promise<number> {
  const failure = redactedFailure(failureOf(error), (text) => redaction.apply(text))
  core.error(inertText(failureText(failure).replace(/^error: /, '')), { title: titleOf(command, failure.status) })
  if (process.env['LIFEBOAT_DEBUG'] === '1' || core.isDebug()) core.info(inertText(redaction.apply(inspect(error))))
  const outcome = isFailure(command, error) && failure.status !== 3 ? 'failed' : 'could not verify'
  setOutputs({ ...failureOutputs(command, failure), outcome })
  const more = failure.status === 130 ? undefined : await askMore()
  await writeSummary(failureSummary(command, failure, more))
  return failure.status
}

function setOutputs(values: Readonly<Record<string, string>>): void {
  try {
    for (const [name, value] of Object.entries(values)) core.setOutput(name, value)
  } catch (error) {
    // The status and the summary still tell how the command ended.
    core.warning(`the outputs could not be set: ${messageOf(error)}`)
  }
}

async function writeSummary(markdown: string): Promise<void> {
  if (!process.env['GITHUB_STEP_SUMMARY']) return
  try {
    await core.summary.addRaw(markdown).write()
  } catch (error) {
    // The command has done its work, whether or not the summary can be written.
    core.warning(`the summary could not be written: ${messageOf(error)}`)
  }
}

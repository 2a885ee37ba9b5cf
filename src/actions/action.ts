import { tmpdir } from 'node:os'
import { inspect } from 'node:util'
import * as core from '@actions/core'
import { dispatch, redacted, statusOf, summaryOf, textOf, type Outcome } from '../dispatch.ts'
import type { Environment } from '../environment.ts'
import { messageOf } from '../error.ts'
import { inputsOf, secretsGiven, type Command } from '../inputs.ts'
import { failureOf, failureText, type Failure } from '../report/failure.ts'
import { Redaction, secretsIn } from '../report/redaction.ts'
import { failureSummary } from '../report/summary.ts'
import { inertText, workflowReport } from '../report/workflow.ts'
import { withEnvironment } from '../run.ts'
import { VERSION } from '../version.ts'
import { outputsOf } from './outputs.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** One of the actions, as a step of a workflow: reads the inputs, runs the command, sets the outputs, exits with its status. */
export async function runAction(command: Command): Promise<void> {
  const variables = process.env
  const redaction = new Redaction(core.setSecret)
  const raw = rawInputs(command, variables)
  for (const secret of secretsGiven(command, raw, variables)) for (const part of secretsIn(secret)) redaction.add(part)

  const report = workflowReport({ line: core.info, warning: (text) => core.warning(text, { title: `Lifeboat ${command}` }) }, redaction)
  let status: number
  try {
    core.startGroup(`Lifeboat ${command}`)
    const temporaryRoot = variables['RUNNER_TEMP'] || tmpdir()
    const outcome = await withEnvironment({ variables, report, temporaryRoot, run: workflowRun(variables) }, (environment) => dispatch(command, raw, environment)).finally(core.endGroup)
    status = await conclude(redacted(outcome, redaction), redaction, variables)
  } catch (error) {
    status = await fail(command, error, redaction)
  }
  // Whatever still keeps the event loop busy has no say any more.
  process.exit(status)
}

/** Every `INPUT_…` there is: a misspelled input arrives as well, and is refused like any unknown one. */
function rawInputs(command: Command, variables: Variables): Record<string, string | undefined> {
  const raw: Record<string, string | undefined> = Object.fromEntries(inputsOf(command).map(([name]) => [name, variables[`INPUT_${name.toUpperCase()}`]]))
  for (const [variable, value] of Object.entries(variables)) {
    if (variable.startsWith('INPUT_')) raw[variable.slice('INPUT_'.length).toLowerCase()] = value
  }
  return raw
}

/** GitHub's documentation, "Variables reference", has these. */
function workflowRun(variables: Variables): Environment['run'] {
  const { GITHUB_REPOSITORY: repository, GITHUB_WORKFLOW: workflow, GITHUB_RUN_ID: id, GITHUB_RUN_ATTEMPT: attempt, GITHUB_SERVER_URL: server } = variables
  if (!repository || !id) return undefined
  return { repository, workflow: workflow ?? '', id, attempt: attempt ?? '1', url: `${server ?? 'https://github.com'}/${repository}/actions/runs/${id}` }
}

async function conclude(outcome: Outcome, redaction: Redaction, variables: Variables): Promise<number> {
  core.info(inertText(redaction.apply(textOf(outcome, 'node dist/cli.js'))))
  for (const [name, value] of Object.entries(outputsOf(outcome))) core.setOutput(name, value)
  const action = { action: variables['GITHUB_ACTION_REPOSITORY'] || 'OWNER/lifeboat', reference: variables['GITHUB_ACTION_REF'] || `v${VERSION}` }
  await writeSummary(summaryOf(outcome, action))
  const status = statusOf(outcome)
  if (status !== 0) core.error(redaction.apply(problemOf(outcome)), { title: `Lifeboat ${outcome.command} failed` })
  return status
}

function problemOf(outcome: Outcome): string {
  if (outcome.command === 'verify') return outcome.result.problems.slice(0, 10).join('\n') || outcome.result.result
  if (outcome.command === 'restore') return outcome.result.errors.slice(0, 10).join('\n')
  return 'failed'
}

async function fail(command: Command, error: unknown, redaction: Redaction): Promise<number> {
  const failure = redactedFailure(failureOf(error), redaction)
  core.error(failureText(failure).replace(/^error: /, ''), { title: `Lifeboat ${command} failed` })
  if (process.env['LIFEBOAT_DEBUG'] === '1' || core.isDebug()) core.info(inertText(redaction.apply(inspect(error))))
  core.setOutput('outcome', failure.status === 3 ? 'could not verify' : 'failed')
  await writeSummary(failureSummary(command, failure))
  return failure.status
}

function redactedFailure(failure: Failure, redaction: Redaction): Failure {
  return {
    ...failure,
    message: redaction.apply(failure.message),
    causes: failure.causes.map((cause) => redaction.apply(cause)),
    hint: failure.hint === undefined ? undefined : redaction.apply(failure.hint),
  }
}

async function writeSummary(markdown: string): Promise<void> {
  if (!process.env['GITHUB_STEP_SUMMARY']) return
  try {
    await core.summary.addRaw(markdown).write()
  } catch (error) {
    // What was done is done, whether or not it could be summarised.
    core.warning(`the summary could not be written: ${messageOf(error)}`)
  }
}

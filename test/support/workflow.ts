import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { builtProgram } from '../end-to-end/built.ts'
import { runStep, type StepResult } from './github/runner.ts'

const root = path.join(import.meta.dirname, '../..')

export const step = z.looseObject({
  id: z.string().optional(),
  name: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  env: z.record(z.string(), z.string()).optional(),
})
const job = z.looseObject({
  'timeout-minutes': z.number(),
  'runs-on': z.unknown(),
  permissions: z.record(z.string(), z.string()).optional(),
  strategy: z.looseObject({ matrix: z.looseObject({ include: z.array(z.record(z.string(), z.string())) }) }).optional(),
  steps: z.array(step),
})
export const workflow = z.looseObject({
  permissions: z.record(z.string(), z.string()),
  concurrency: z.union([z.string(), z.looseObject({ group: z.string() })]),
  jobs: z.record(z.string(), job),
})
const action = z.looseObject({
  inputs: z.record(z.string(), z.looseObject({ default: z.string().optional() })),
  runs: z.looseObject({ main: z.string(), post: z.string() }),
})

/** The contexts that expressions of a workflow can use: `secrets.NAME`, `inputs.name`, `github.token`. */
export type Contexts = Record<string, unknown>

/** The folder of an action of ours in this repository, empty for the one at its top; undefined for another's. */
export function folderOf(uses: string | undefined): string | undefined {
  const [, folder = '', version] = /^OWNER\/lifeboat(?:\/([a-z]+))?@(.+)$/.exec(uses ?? '') ?? []
  return version === undefined ? undefined : folder
}

/** Text with its expressions evaluated: names with dots, and one index in brackets. Throws for what it does not know. */
export function evaluated(text: string, contexts: Contexts): string {
  return text.replaceAll(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => String(valueOf(expression, contexts)))
}

function valueOf(expression: string, contexts: Contexts): unknown {
  const [, head, index] = /^([\w.-]+)(?:\[([\w.-]+)\])?$/.exec(expression) ?? []
  if (head === undefined) throw new Error(`an expression this model does not know: ${expression}`)
  const names = [...head.split('.'), ...(index === undefined ? [] : [String(valueOf(index, contexts))])]
  const value = names.reduce<unknown>((value, name) => (typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined), contexts)
  if (value === undefined) throw new Error(`${expression} has no value`)
  return value
}

export interface RanStep {
  name: string
  ending: StepResult
  post: StepResult
}

export interface WorkflowOptions {
  /** The machine's work folder. */
  work: string
  contexts: Contexts
  /** The variables of a job with these permissions, and its `github` context. */
  job(permissions: Record<string, string>): { variables: Record<string, string>; github: Record<string, string> }
  /** Last changes to the inputs of a step: paths of machines that are not there. */
  adapt(input: string): string
}

/**
 * Runs those steps of a workflow that are ours, as a runner does: each job of a matrix, the defaults from action.yml, the outputs of steps
 * handed on, nothing more after a failure, the post steps last and backwards.
 */
export async function runWorkflow(text: string, options: WorkflowOptions): Promise<RanStep[]> {
  const { jobs, permissions } = workflow.parse(parse(text))
  const ran: RanStep[] = []
  for (const job of Object.values(jobs)) {
    for (const matrix of job.strategy?.matrix.include ?? [{}]) ran.push(...(await runJob(job, matrix, job.permissions ?? permissions, options)))
  }
  return ran
}

async function runJob({ steps }: z.infer<typeof job>, matrix: Record<string, string>, permissions: Record<string, string>, options: WorkflowOptions): Promise<RanStep[]> {
  const { variables, github } = options.job(permissions)
  const outputs: Record<string, { outputs: Record<string, string> }> = {}
  const ran: { name: string; ending: StepResult; post: string }[] = []
  for (const step of steps) {
    const folder = folderOf(step.uses)
    if (folder === undefined) continue
    const contexts = { ...options.contexts, matrix, github, steps: outputs }
    const given = Object.entries(step.with ?? {}).map(([name, value]) => [name, options.adapt(evaluated(String(value), contexts))])
    const { post, ...main } = actionStep(folder, Object.fromEntries(given), github)
    const own = Object.fromEntries(Object.entries(step.env ?? {}).map(([name, value]) => [name, evaluated(value, contexts)]))
    const ending = await runStep(options.work, { ...main, variables: { ...variables, ...own } })
    ran.push({ name: step.name ?? step.uses!, ending, post })
    if (step.id !== undefined) outputs[step.id] = { outputs: ending.outputs }
    if (ending.status !== 0) break
  }
  const posts: StepResult[] = []
  for (const { ending, post } of ran.toReversed()) {
    posts.unshift(await runStep(options.work, { main: post, state: ending.state, variables }))
  }
  return ran.map(({ name, ending }, index) => ({ name, ending, post: posts[index]! }))
}

/** A step that uses one of our actions: the programs that its action.yml names, and its inputs, where none is given its default. */
export function actionStep(folder: string, given: Record<string, string>, github: Record<string, string>): { main: string; post: string; inputs: Record<string, string> } {
  const { inputs, runs } = action.parse(parse(readFileSync(path.join(root, folder, 'action.yml'), 'utf8')))
  const defaults = Object.entries(inputs).map(([name, input]) => [name, evaluated(input.default ?? '', { github })])
  return { main: entry(folder, runs.main), post: entry(folder, runs.post), inputs: { ...Object.fromEntries(defaults), ...given } }
}

/** The program that action.yml names, as the sources build it now. */
function entry(folder: string, program: string): string {
  const [top, ...rest] = path.join(folder, program).split('/')
  if (top !== 'dist') throw new Error(`${folder}/action.yml names ${program}`)
  return path.join(builtProgram(), ...rest)
}

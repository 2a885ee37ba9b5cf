import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { builtProgram } from '../end-to-end/built.ts'
import { runStep, type StepResult } from './github/runner.ts'

const root = path.join(import.meta.dirname, '../..')

export const step = z.looseObject({
  id: z.string().optional(),
  if: z.string().optional(),
  name: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  env: z.record(z.string(), z.string()).optional(),
})
const matrix = z.looseObject({ include: z.array(z.record(z.string(), z.unknown())) })
const job = z.looseObject({
  'timeout-minutes': z.number(),
  'runs-on': z.unknown(),
  permissions: z.record(z.string(), z.string()).optional(),
  needs: z.union([z.string().transform((one) => [one]), z.array(z.string())]).default([]),
  if: z.literal('always()').optional(),
  /** An expression, or the value itself. */
  strategy: z.looseObject({ matrix: z.union([z.string(), matrix]) }).optional(),
  outputs: z.record(z.string(), z.string()).default({}),
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

/** lifeboat.yml of the examples with the folder in it, which is a comment there: no runner of GitHub has it. */
export function withVolume(text: string): string {
  return text.replace(/^# volumes:\n(?:# .*\n)+/m, (lines) => lines.replaceAll(/^# /gm, ''))
}

/** The contexts that expressions of a workflow can use: `secrets.NAME`, `inputs.name`, `github.token`. */
export type Contexts = Record<string, unknown>

/** The folder of an action of ours in this repository, empty for the one at its top; undefined for another's. */
export function folderOf(uses: string | undefined): string | undefined {
  const [, folder = '', version] = /^OWNER\/lifeboat(?:\/([a-z]+))?@(.+)$/.exec(uses ?? '') ?? []
  return version === undefined ? undefined : folder
}

/**
 * Text with its expressions evaluated: names with dots, one index in brackets, a comparison with a text, toJSON and fromJSON. Throws for
 * any other expression.
 */
export function evaluated(text: string, contexts: Contexts): string {
  return text.replaceAll(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => String(valueOf(expression, contexts)))
}

function valueOf(expression: string, contexts: Contexts): unknown {
  const [, conversion, inner] = /^(toJSON|fromJSON)\((.+)\)$/.exec(expression) ?? []
  if (conversion === 'toJSON') return JSON.stringify(valueOf(inner!, contexts), null, 2)
  if (conversion === 'fromJSON') return JSON.parse(String(valueOf(inner!, contexts)))
  const [, compared, text] = /^([\w.-]+) == '([^']*)'$/.exec(expression) ?? []
  if (compared !== undefined) return valueOf(compared, contexts) === text
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
 * Runs those steps of a workflow that are ours, as a runner does: each job of a matrix, jobs after those they need, the defaults from
 * action.yml, the outputs of steps and jobs handed on, nothing more after a failure, the post steps last and backwards.
 */
export async function runWorkflow(text: string, options: WorkflowOptions): Promise<RanStep[]> {
  const { jobs, permissions } = workflow.parse(parse(text))
  const ran: RanStep[] = []
  const needs: Record<string, { result: string; outputs: Record<string, string> }> = {}
  for (const [name, job] of Object.entries(jobs)) {
    if (job.if === undefined && job.needs.some((other) => needs[other]?.result !== 'success')) {
      needs[name] = { result: 'skipped', outputs: {} }
      continue
    }
    const contexts = { ...options.contexts, needs }
    const own: RanJob[] = []
    for (const item of itemsOf(job, contexts)) own.push(await runJob(job, item, job.permissions ?? permissions, { ...options, contexts }))
    ran.push(...own.flatMap(({ steps }) => steps))
    const failed = own.some(({ steps }) => steps.some(({ ending }) => ending.status !== 0))
    needs[name] = { result: failed ? 'failure' : 'success', outputs: own.at(-1)?.outputs ?? {} }
  }
  return ran
}

interface RanJob {
  steps: RanStep[]
  outputs: Record<string, string>
}

/** The matrix contexts of a job, one for each of its runs. */
function itemsOf({ strategy }: z.infer<typeof job>, contexts: Contexts): Record<string, unknown>[] {
  if (strategy === undefined) return [{}]
  if (typeof strategy.matrix !== 'string') return strategy.matrix.include
  return matrix.parse(valueOf(/^\$\{\{\s*(.*?)\s*\}\}$/.exec(strategy.matrix)![1]!, contexts)).include
}

async function runJob(given: z.infer<typeof job>, matrix: Record<string, unknown>, permissions: Record<string, string>, options: WorkflowOptions): Promise<RanJob> {
  const { variables, github } = options.job(permissions)
  const outputs: Record<string, { outputs: Record<string, string> }> = {}
  const ran: { name: string; ending: StepResult; post: string }[] = []
  for (const step of given.steps) {
    const folder = folderOf(step.uses)
    if (folder === undefined) continue
    const contexts = { ...options.contexts, matrix, github, steps: outputs }
    if (step.if !== undefined && valueOf(step.if, contexts) !== true) continue
    const values = Object.entries(step.with ?? {}).map(([name, value]) => [name, options.adapt(evaluated(String(value), contexts))])
    const { post, ...main } = actionStep(folder, Object.fromEntries(values), github)
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
  const handedOn = ran.some(({ ending }) => ending.status !== 0) ? {} : given.outputs
  return {
    steps: ran.map(({ name, ending }, index) => ({ name, ending, post: posts[index]! })),
    outputs: Object.fromEntries(Object.entries(handedOn).map(([name, text]) => [name, evaluated(text, { ...options.contexts, steps: outputs })])),
  }
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

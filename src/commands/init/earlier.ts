import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { type Destination, parseDestination } from '../../stores/destination.ts'
import { marked } from '../../marks.ts'
import { WORKFLOWS } from './files.ts'
import type { InitInputs } from './inputs.ts'
import type { Questions } from './questions.ts'
import type { TimeOfDay } from './workflows.ts'

export const BACKUP_WORKFLOW = `${WORKFLOWS}/lifeboat-backup.yml`

/** The answers of an earlier run, as far as its workflow tells. */
export interface Earlier {
  /** Whether there is a workflow. */
  found: boolean
  /** Answers that it has, and that this run cannot know: they come from a secret, a variable, or a configuration file. */
  unknown: readonly Unknowable[]
  action?: string | undefined
  at?: TimeOfDay | undefined
  /** Undefined if it is not given there: the backups are artifacts. */
  destination?: string | undefined
  recipients?: string | undefined
  retention?: string | undefined
  runner?: string | undefined
  set?: string | undefined
}

const INPUTS = ['destination', 'recipients', 'retention', 'set'] as const
type Unknowable = typeof INPUTS[number] | 'runner'

const texts = z.record(z.string(), z.unknown()).catch({})
const jobs = z.record(z.string(), z.object({
  'runs-on': z.unknown(),
  env: texts,
  steps: z.array(z.object({ uses: z.string().catch(''), with: texts, env: texts })).catch([]),
})).catch({})
const workflow = z.object({ on: z.object({ schedule: z.array(z.object({ cron: z.string() })) }).catch({ schedule: [] }), env: texts, jobs })

/** Reads a workflow for backups that `lifeboat init` wrote, or a user has changed since. Throws (status 2) if it is not YAML. */
export async function earlierAnswers(text: string | undefined): Promise<Earlier> {
  if (text === undefined) return { found: false, unknown: [] }
  const parsed = await readWorkflow(text)
  const steps = Object.values(parsed.jobs).flatMap((job) => job.steps.map((step) => ({ ...step, job })))
  const step = steps.find((step) => 'encryption-key' in step.with || 'database-url' in step.with)
  if (step === undefined) return { found: true, unknown: [...INPUTS, 'runner'] }
  const variables = { ...parsed.env, ...step.job.env, ...step.env }
  const elsewhere = (name: string): boolean => 'config' in step.with || (name === 'destination' && 'LIFEBOAT_DESTINATION' in variables)
  const answers = Object.fromEntries(INPUTS.map((name) => [name, plain(step.with[name])]))
  const runner = plain(step.job['runs-on'])
  return {
    ...answers,
    found: true,
    unknown: [
      ...INPUTS.filter((name) => answers[name] === undefined && (step.with[name] !== undefined || elsewhere(name))),
      ...(runner === undefined ? ['runner' as const] : []),
    ],
    action: /^[\w.-]+\/[\w.-]+@[\w./-]+$/.exec(step.uses)?.[0],
    at: timeIn(parsed),
    runner,
  }
}

/** Every value is a text, as it was written. */
async function readWorkflow(text: string): Promise<z.infer<typeof workflow>> {
  const { parseDocument } = await import('../../inputs/file/yaml.ts')
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: false })
  const [problem] = document.errors
  const read = problem ? undefined : workflow.safeParse(document.toJS({ maxAliasCount: 100 }))
  if (read?.success) return read.data
  throw new LifeboatError(`${WORKFLOWS} has a file of Lifeboat that is not a valid workflow`, {
    hint: `Look at ${WORKFLOWS}/lifeboat-*.yml: fix or remove it. Nothing was changed.`,
    status: 2,
    cause: problem,
  })
}

/** A text without expressions, except for those that stand for `${{` itself (`yamlWord`). */
function plain(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const parts = value.trim().split("${{ '${{' }}")
  return value.trim() === '' || parts.some((part) => part.includes('${{')) ? undefined : parts.join('${{')
}

/** An answer without secrets, by the name of its input. */
interface FileAnswer {
  name: 'destination' | 'recipients' | 'action'
  answer: string
}

/** The answers that decide who gets credentials, data or secrets, and that only the file gives. */
export function chosenByFile({ action, destination, recipients }: Earlier, given: InitInputs['given'], ownAction?: string): FileAnswer[] {
  const place = given.destination === undefined && destination ? parseDestination(destination).text : undefined
  return [
    ...(place === undefined ? [] : [{ name: 'destination', answer: place } as const]),
    ...(given.recipients === undefined && recipients ? [{ name: 'recipients', answer: recipients } as const] : []),
    ...(given.action === undefined && action && action !== ownAction ? [{ name: 'action', answer: action } as const] : []),
  ]
}

/** Has answers of the checkout, which somebody else may have written, agreed to before anything is contacted. */
export async function requireChosen(chosen: readonly FileAnswer[], questions: Questions): Promise<void> {
  if (!questions.answered) {
    for (const { name, answer } of chosen) questions.miss(marked`‹${name}›, because only ${BACKUP_WORKFLOW} has it: ${answer}`)
    return
  }
  if (chosen.length === 0) return
  const lines = chosen.map(({ name, answer }) => `  ${name}: ${answer}`).join('\n')
  const question = `\nWhoever wrote ${BACKUP_WORKFLOW} chose:\n${lines}\nThe destination gets your credentials, recipients can open the ` +
    'backups, and the action gets all secrets.\nUse this?'
  if (await questions.agreed(question)) return
  throw new LifeboatError(`the answers of ${BACKUP_WORKFLOW} were refused`, {
    hint: `${chosen.map(({ name }) => marked`Give ‹${name}›.`).join(' ')} Or change the file. Nothing was changed.`,
    status: 2,
  })
}

/** Tells that answers are missing which the workflow that is there has from elsewhere. At a terminal, the destination is asked for. */
export function missUnknown(unknown: Earlier['unknown'], questions: Questions): void {
  for (const name of unknown) {
    if (name === 'destination' && questions.answered) continue
    questions.miss(marked`‹${name}›, because ${BACKUP_WORKFLOW} has it from a secret, a variable or another file`)
  }
}

/** The destination of the backups until now, if it is another one; `secret`: the new one is in the secret that the workflow names. */
export function movedFrom({ found, unknown, destination }: Earlier, to: Destination, secret: boolean): string | undefined {
  if (!found) return undefined
  if (unknown.includes('destination')) return secret ? undefined : 'the destination that the workflow had'
  const from = parseDestination(destination ?? 'artifact').text
  return from === to.text ? undefined : from
}

/** The time of day of a workflow's schedule. */
export async function earlierTime(text: string | undefined): Promise<TimeOfDay | undefined> {
  return text === undefined ? undefined : timeIn(await readWorkflow(text))
}

function timeIn({ on }: z.infer<typeof workflow>): TimeOfDay | undefined {
  const [, minute, hour] = /^(\d{1,2}) (\d{1,2}) /.exec(on.schedule[0]?.cron ?? '') ?? []
  return minute === undefined || hour === undefined ? undefined : { hour: Number(hour), minute: Number(minute) }
}

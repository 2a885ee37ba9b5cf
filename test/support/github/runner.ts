import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { keepingCompiled } from '../../end-to-end/built.ts'
import { requireDocumented } from '../documented.ts'

export interface Step {
  /** The JavaScript file that `runs.main` or `runs.post` of an action.yml names. */
  main: string
  inputs?: Record<string, string>
  /** The variables of the run and the workflow: GITHUB_*, ACTIONS_*, `env:`. */
  variables?: Record<string, string>
  /** The state that `main` saved for `post`. */
  state?: Record<string, string>
}

export interface StepResult {
  status: number | null
  signal: NodeJS.Signals | null
  /** Standard output and standard error, as they came. */
  log: string
  outputs: Record<string, string>
  state: Record<string, string>
  /** Variables set for later steps, and the summary. */
  exported: Record<string, string>
  summary: string
}

/** A step that runs. */
export interface StartedStep {
  readonly process: ChildProcess
  result: Promise<StepResult>
  /** Resolves when the log matches; rejects when the step ends before. */
  logged(pattern: RegExp): Promise<void>
  /** The state that it has saved for `post` so far. */
  saved(): Promise<Record<string, string>>
  /** Cancels as the runner does: SIGINT to this process alone, SIGTERM after 7.5 s, SIGKILL after 2.5 s more. Gives the list of what it has sent, which grows. */
  cancel(): readonly NodeJS.Signals[]
}

/** Starts a step the way the runner starts one of a JavaScript action; `work` is the machine's work folder. */
export async function startStep(work: string, { main, inputs = {}, variables = {}, state = {} }: Step): Promise<StartedStep> {
  const temporary = path.join(work, '_temp')
  const workspace = path.join(work, 'workspace')
  const commands = path.join(temporary, '_runner_file_commands')
  for (const folder of [commands, workspace, path.join(work, '_tool')]) await mkdir(folder, { recursive: true })
  const files: Record<string, string> = {}
  for (const name of ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STEP_SUMMARY']) {
    files[name] = path.join(commands, `${name.toLowerCase()}_${randomUUID()}`)
    await writeFile(files[name], '')
  }
  const environment: Record<string, string | undefined> = {
    ...keepingCompiled(), PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8', CI: 'true', GITHUB_ACTIONS: 'true',
    ...variables,
    RUNNER_TEMP: temporary, RUNNER_TOOL_CACHE: path.join(work, '_tool'), RUNNER_OS: 'Linux', RUNNER_ARCH: 'X64', GITHUB_WORKSPACE: workspace,
    ...files,
  }
  for (const [name, value] of Object.entries(inputs)) environment[`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`] = value
  for (const [name, value] of Object.entries(state)) environment[`STATE_${name}`] = value

  const child = spawn(process.execPath, [main], { cwd: workspace, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  const { promise: ended, resolve } = Promise.withResolvers<Pick<StepResult, 'status' | 'signal'>>()
  const timers: NodeJS.Timeout[] = []
  child.on('close', (status, signal) => {
    for (const timer of timers) clearTimeout(timer)
    resolve({ status, signal })
  })
  const result = async (): Promise<StepResult> => {
    const end = await ended
    const read = async (name: string) => parseFileCommands(await readFile(files[name]!, 'utf8'))
    const outputs = await read('GITHUB_OUTPUT')
    if (outputs['result']) requireDocumented(path.basename(main, '.js'), outputs['result'])
    return { ...end, log, outputs, state: await read('GITHUB_STATE'), exported: await read('GITHUB_ENV'), summary: await readFile(files['GITHUB_STEP_SUMMARY']!, 'utf8') }
  }
  return {
    process: child,
    result: result(),
    saved: async () => parseFileCommands(await readFile(files['GITHUB_STATE']!, 'utf8')),
    logged: (pattern) => logged(child, () => pattern.test(log), () => `the step ended without ${String(pattern)} in its log:\n${log}`),
    cancel: () => {
      const sent: NodeJS.Signals[] = []
      const send = (signal: NodeJS.Signals) => {
        sent.push(signal)
        child.kill(signal)
      }
      send('SIGINT')
      timers.push(setTimeout(() => send('SIGTERM'), 7500), setTimeout(() => send('SIGKILL'), 10_000))
      return sent
    },
  }
}

/** Runs a step to its end. */
export async function runStep(work: string, step: Step): Promise<StepResult> {
  return (await startStep(work, step)).result
}

/** The processes that carry a RUNNER_TRACKING_ID, by which the runner too finds what a job has left behind. */
export function tracked(id: string): { pid: number; command: string }[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`RUNNER_TRACKING_ID=${id}`)) return []
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      return command === '' ? [] : [{ pid: Number(pid), command }]
    } catch {
      return [] // It has ended meanwhile, or is another user's.
    }
  })
}

function logged(child: ChildProcess, matches: () => boolean, failure: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (matches()) resolve()
    }
    child.stdout!.on('data', look)
    child.stderr!.on('data', look)
    child.on('close', () => (matches() ? resolve() : reject(new Error(failure()))))
    look()
  })
}

/** The files that outputs, state and variables are written to: lines `name=value`, or `name<<delimiter`, lines, `delimiter`. */
export function parseFileCommands(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  const lines = text.split('\n')
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    if (line === '') continue
    const [, name, delimiter] = /^([^=]+?)<<(.+)$/.exec(line) ?? []
    if (name === undefined) {
      const at = line.indexOf('=')
      if (at < 1) throw new Error(`the runner would refuse the line ${JSON.stringify(line)}`)
      values[line.slice(0, at)] = line.slice(at + 1)
      continue
    }
    const end = lines.indexOf(delimiter!)
    if (end < 0) throw new Error(`the runner would miss the end ${JSON.stringify(delimiter)} of ${name}`)
    values[name] = lines.splice(0, end + 1).slice(0, -1).join('\n')
  }
  return values
}

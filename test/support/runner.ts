import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export interface StepEnding {
  status: number | null
  signal: NodeJS.Signals | null
  log: string
  outputs: Record<string, string>
  state: Record<string, string>
  summary: string
}

export interface RunningStep {
  readonly process: ChildProcess
  readonly ended: Promise<StepEnding>
  /** As the runner cancels: SIGINT to the entry alone, SIGTERM 7.5 s later, after another 2.5 s the end of the whole tree. Gives the signals it took. */
  cancel(): Promise<NodeJS.Signals[]>
}

const FILES = ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY'] as const

/** A model of how the runner starts the program of an action: files for what it sets, a mark in the environment, a folder for temporary files. */
export class Runner {
  readonly folder: string
  readonly temporary: string
  readonly #tracking = `github_${randomUUID()}`

  constructor(folder: string) {
    this.folder = folder
    this.temporary = path.join(folder, '_temp')
    mkdirSync(this.temporary, { recursive: true })
  }

  start(program: readonly string[], variables: Record<string, string>): RunningStep {
    const commands = path.join(this.folder, `_commands-${randomUUID()}`)
    mkdirSync(commands)
    const files = Object.fromEntries(FILES.map((name) => [name, path.join(commands, name)]))
    for (const file of Object.values(files)) writeFileSync(file, '')
    const child = spawn(process.execPath, program, {
      env: { PATH: process.env['PATH'], RUNNER_TEMP: this.temporary, RUNNER_TRACKING_ID: this.#tracking, ...variables, ...files },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let log = ''
    child.stdout.on('data', (bytes: Buffer) => (log += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (log += bytes.toString()))
    const ended = once(child, 'close').then((): StepEnding => ({
      status: child.exitCode, signal: child.signalCode, log,
      outputs: assignedIn(files['GITHUB_OUTPUT']!), state: assignedIn(files['GITHUB_STATE']!), summary: readFileSync(files['GITHUB_STEP_SUMMARY']!, 'utf8'),
    }))
    return { process: child, ended, cancel: () => this.#cancel(child) }
  }

  /** What the step that was given this folder for its files has saved so far. */
  stateOf(commands: string): Record<string, string> {
    return assignedIn(path.join(commands, 'GITHUB_STATE'))
  }

  async #cancel(child: ChildProcess): Promise<NodeJS.Signals[]> {
    const exited = once(child, 'exit')
    const sent: NodeJS.Signals[] = []
    const send = (signal: NodeJS.Signals): void => {
      sent.push(signal)
      child.kill(signal)
    }
    send('SIGINT')
    const timers = [setTimeout(() => send('SIGTERM'), 7500), setTimeout(() => {
      send('SIGKILL')
      for (const { pid } of this.processes()) process.kill(pid, 'SIGKILL')
    }, 10_000)]
    await exited
    for (const timer of timers) clearTimeout(timer)
    return sent
  }

  /** What its steps have left running: the runner finds it by its mark, too. */
  processes(): { pid: number; command: string }[] {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.#tracking)) return []
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        return command === '' ? [] : [{ pid: Number(pid), command }]
      } catch {
        return [] // It has ended meanwhile, or is another user's.
      }
    })
  }
}

/** The values in a file that `core.setOutput` or `core.saveState` wrote. */
function assignedIn(file: string): Record<string, string> {
  return Object.fromEntries([...readFileSync(file, 'utf8').matchAll(/^(.+?)<<(.+)\n([\s\S]*?)\n\2$/gm)].map((match) => [match[1], match[3]]))
}

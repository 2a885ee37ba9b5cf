import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { BackupResult } from '../../src/commands/backup/result.ts'
import type { ListResult } from '../../src/commands/list/result.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import type { VerifyResult } from '../../src/commands/verify/result.ts'
import { type Command, inputsOf } from '../../src/commands/all.ts'
import { identity } from '../support/engine.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { requireDocumented } from '../support/documented.ts'
import { parseFileCommands } from '../support/github/runner.ts'
import type { Server } from '../support/postgres-server.ts'
import { until } from '../support/until.ts'
import { builtProgram, keepingCompiled } from './built.ts'

export type Given = Record<string, string>

export interface Options {
  /** At a terminal (the default), or as a step of a workflow. */
  as?: 'terminal' | 'action'
  variables?: Record<string, string>
  /** A program, with its arguments, that starts the program: strace, unshare. */
  under?: string[]
  /** It will be ended before it can clean up: it may leave files, and its children a moment later. */
  killed?: true
}

/** How a run ended, and everything it showed. */
export interface Ending {
  status: number | null
  signal: NodeJS.Signals | null
  /** Without the lines by which an action has its secrets masked. */
  out: string
  err: string
  /** Of an action. */
  outputs: Record<string, string>
  summary: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ending>
}

/** A folder with a store, a key and a place for temporary files, and the built program to run on them, each run in a process of its own. */
export class Sandbox {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-e2e-'))
  readonly store = path.join(this.folder, 'store')
  readonly temporary = path.join(this.folder, 'tmp')
  readonly key: string
  readonly #program: string
  readonly #databaseUrl: string
  #runs = 0

  private constructor(program: string, key: string, databaseUrl: string) {
    this.#program = program
    this.key = key
    this.#databaseUrl = databaseUrl
    mkdirSync(this.temporary)
  }

  /** `databaseUrl` is the source of a backup that names none. The key is always the same: where chunks are cut, and so what a small change costs, depends on it. */
  static async open(databaseUrl: string, key?: string): Promise<Sandbox> {
    return new Sandbox(builtProgram(), key ?? identity, databaseUrl)
  }

  close(): void {
    rmSync(this.folder, { recursive: true })
  }

  /** The environment of a run: client programs of three majors, and a PATH that only the processes of this sandbox have. */
  variables(): Record<string, string> {
    return {
      ...keepingCompiled(),
      PATH: [path.join(this.folder, 'bin'), ...([15, 17, 18] as const).map(clientDirectory), process.env['PATH']].join(path.delimiter),
      HOME: this.folder,
      TMPDIR: this.temporary,
    }
  }

  /** Starts a command. Inputs that are not given have the sandbox's store, key and database; an empty text means really not given. */
  start(command: Command, given: Given = {}, options: Options = {}): Running {
    const inputs: Given = { destination: `file:${this.store}`, 'encryption-key': this.key, ...(command === 'backup' && { 'database-url': this.#databaseUrl }), ...given }
    const { under = [] } = options
    const step = options.as === 'action' ? this.#step(command, inputs) : this.#terminal(command, inputs)
    const [program, ...args] = [...under, process.execPath, ...step.args]
    const child = spawn(program!, args, { env: { ...this.variables(), ...step.variables, ...options.variables }, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = this.#ending(child, step, options).then((ending) => {
      const printed = options.as === 'action' ? ending.outputs['result'] : ending.out
      if (printed !== undefined && given['json'] !== undefined && !options.killed) requireDocumented(command, printed)
      return ending
    })
    return { child, ended }
  }

  /** Runs a command to its end. Throws when it leaves a process or a temporary file behind. */
  run(command: Command, given: Given = {}, options: Options = {}): Promise<Ending> {
    return this.start(command, given, options).ended
  }

  async backup(given: Given = {}, options: Options = {}): Promise<BackupResult> {
    return JSON.parse(printedBy(await this.run('backup', { json: 'true', ...given }, options)))
  }

  async restore(given: Given, options: Options = {}): Promise<RestoreResult> {
    return JSON.parse(printedBy(await this.run('restore', { json: 'true', ...given }, options)))
  }

  async verify(given: Given = {}): Promise<VerifyResult> {
    return JSON.parse((await this.run('verify', { json: 'true', ...given })).out)
  }

  async list(given: Given = {}): Promise<ListResult['snapshots']> {
    const result: ListResult = JSON.parse(printedBy(await this.run('list', { json: 'true', ...given })))
    return result.snapshots
  }

  /** A backup succeeds, and every snapshot there is can be read to the last byte. */
  async expectHealthy(given: Given = {}): Promise<void> {
    await this.backup(given)
    for (const { id } of await this.list()) expect(await this.verify({ snapshot: id, level: 'read' })).toMatchObject({ result: 'verified', problems: [] })
  }

  #terminal(command: Command, inputs: Given): Step {
    const { 'encryption-key': key, 'database-url': url, ...rest } = inputs
    const args = Object.entries(rest).flatMap(([name, value]) => (value === '' ? [] : name === 'json' ? ['--json'] : [`--${name}=${value}`]))
    return {
      args: [path.join(this.#program, 'cli.js'), command, ...args],
      variables: { ...(key && { LIFEBOAT_ENCRYPTION_KEY: key }), ...(url && { DATABASE_URL: url }) },
    }
  }

  /** As a runner starts a step: every input by variable with its default, files for outputs and summary. */
  #step(command: Command, given: Given): Step {
    const files = path.join(this.folder, `step-${++this.#runs}`)
    const [output, summary] = [path.join(files, 'output'), path.join(files, 'summary')]
    mkdirSync(files)
    for (const file of [output, summary]) writeFileSync(file, '')
    const { json: _, ...inputs } = { ...Object.fromEntries(inputsOf(command).map(([name]) => [name, ''])), ...given }
    return {
      args: [path.join(this.#program, `${command}.js`)],
      variables: {
        ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
        RUNNER_TEMP: this.temporary, GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary,
        GITHUB_REPOSITORY: 'someone/something', GITHUB_RUN_ID: '42', GITHUB_RUN_ATTEMPT: '1', GITHUB_WORKFLOW: 'nightly',
        GITHUB_ACTION_REPOSITORY: 'someone/lifeboat', GITHUB_ACTION_REF: 'v9',
      },
      output, summary,
    }
  }

  async #ending(child: ChildProcess, step: Step, { killed }: Options): Promise<Ending> {
    let [out, err] = ['', '']
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (err += text))
    await once(child, 'close')
    if (killed) {
      await this.allGone()
      // A scratch server has nothing of the environment, and may still write there while it ends.
      await until(async () => {
        rmSync(this.temporary, { recursive: true, force: true })
        return !existsSync(this.temporary)
      })
      mkdirSync(this.temporary)
    }
    const left = [...this.processes(), ...readdirSync(this.temporary)]
    if (left.length > 0) throw new Error(`it left behind: ${left.join(', ')}\n${err}`)
    return {
      status: child.exitCode, signal: child.signalCode, out: out.replaceAll(/^::add-mask::.*\n/gm, ''), err,
      outputs: step.output === undefined ? {} : parseFileCommands(readFileSync(step.output, 'utf8')),
      summary: step.summary === undefined ? '' : readFileSync(step.summary, 'utf8'),
    }
  }

  /** Command lines of what this sandbox has running: processes that inherited its PATH. */
  processes(): string[] {
    return readdirSync('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return []
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${this.folder}/bin`)) return []
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`]
      } catch {
        return [] // It ended while we looked, or it is another user's.
      }
    })
  }

  async allGone(): Promise<void> {
    await until(async () => this.processes().length === 0)
  }
}

function printedBy({ status, out, err }: Ending): string {
  if (status !== 0) throw new Error(`it ended with status ${status}: ${err}${out}`)
  return out
}

interface Step {
  args: string[]
  variables: Record<string, string>
  output?: string
  summary?: string
}

/** The content of a folder: mode and SHA-256 of every file. */
export function contentOf(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {}
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())
  return Object.fromEntries(
    files.map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      const { mode } = lstatSync(file)
      return [path.relative(folder, file), `${mode.toString(8)} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`]
    }),
  )
}

/** The same without the notes of runs that began, each of which replaces the one before. */
export function withoutNotes(content: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(content).filter(([file]) => !file.startsWith('runs/')))
}

/** Everything that was in a store is there as it was, and no snapshot came: at most chunks that nothing refers to. */
export function expectNoBackup(folder: string, before: Record<string, string>): void {
  const after = contentOf(folder)
  expect(after).toMatchObject(withoutNotes(before))
  const added = Object.keys(after).filter((file) => !(file in before))
  expect(added.filter((file) => file.startsWith('snapshots/'))).toEqual([])
}

/** It ended with this status, said what is wrong and what to do, wherever it has to, and gave nothing that looks like a result. */
export function expectFailure(ending: Ending, status: number, message: string | RegExp, hint: string | RegExp): void {
  const { err, out, outputs, summary } = ending
  const action = summary !== ''
  const said = action ? unescaped(/^::error title=Lifeboat \w+(?: failed|%3A could not verify)::(.*)$/m.exec(out)?.[1] ?? '') : err
  expect(said).toMatch(action ? /^/ : /^error: /m)
  expect(said).toMatch(message)
  expect(said).toMatch(/^hint: ./m)
  expect(said.slice(said.search(/^hint: /m))).toMatch(hint)
  // Marks of inputs and commands, spelled for neither entry.
  expect(`${out}${err}${summary}`).not.toMatch(/[‹›]|&#8249;|&#8250;/)
  expect([ending.status, ending.signal]).toEqual([status, null])
  if (!action) expect(out === '' ? { schema: 1, error: { status } } : JSON.parse(out)).toMatchObject({ schema: 1, error: { status } })
  else {
    const { state, 'safety-snapshot-id': safety, ...others } = outputs // Of a restore that failed: what it left where it had begun.
    expect([state, safety]).not.toContain('')
    expect(others).toEqual({ outcome: status === 3 ? 'could not verify' : 'failed' })
    expect(summary).toMatch(status === 3 ? /^### ⚠️ Lifeboat: the backup could not be verified\n[^]*What to do: / : /^### ❌ Lifeboat: \w+ failed\n[^]*What to do: /)
  }
}

/** A workflow command's data as it was before @actions/core wrote it. */
function unescaped(text: string): string {
  return text.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%')
}

/** Starts a program in a mount namespace of its own, which is gone with it, after a script for bash has mounted something there; its arguments are `$1` and so on. Bash, unlike others, hands on variables like INPUT_DATABASE-URL. */
export function mounting(script: string, ...args: string[]): string[] {
  const root = process.getuid?.() === 0
  return ['unshare', ...(root ? [] : ['--map-root-user']), '--mount', 'bash', '-euc', `${script}\nshift ${args.length}\nexec "$@"`, 'bash', ...args]
}

/** Runs SQL that takes locks, and keeps them until it is told to let go. */
export async function holding(server: Server, database: string, sql: string): Promise<{ letGo: () => Promise<void> }> {
  const name = `holding ${randomUUID()}`
  const session = server.sql(`SET application_name = '${name}'; BEGIN; ${sql}; SELECT pg_sleep(3600)`, database).catch(() => 'terminated below')
  const is = `application_name = '${name}' AND pid <> pg_backend_pid()`
  await until(async () => (await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE ${is} AND query LIKE 'SELECT pg_sleep%'`)) === '1')
  return {
    letGo: async () => {
      await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${is}`)
      await session
    },
  }
}

import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { noise } from '../support/bytes.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { identity } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'
import { type StartedStep, startStep, type StepResult, tracked } from '../support/github/runner.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { actionStep } from '../support/workflow.ts'

export type Action = 'backup' | 'list' | 'verify' | 'restore'

export interface Ran extends StepResult {
  /** Processes and temporary files that were still there when it had ended. */
  left: string[]
}

export interface Started extends Omit<StartedStep, 'result'> {
  result: Promise<Ran>
}

const REPOSITORY = 'octo/shop'

/** The built actions as steps of workflow runs, each in a run of its own on a machine of its own, over emulated services, with a small database or folder. */
export class WorkflowRuns {
  readonly github: GitHub
  readonly #server: Server | undefined
  /** The snapshot that every repository has. */
  first = ''
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-runs-'))
  #copies = 0

  private constructor(server: Server | undefined, github: GitHub) {
    this.#server = server
    this.github = github
    mkdirSync(path.join(this.#folder, 'files'))
    writeFileSync(path.join(this.#folder, 'files/one'), noise('one', 60_000))
  }

  /** Backups of files take two thirds of the CPU time of those of a database. */
  static async open(source: 'database' | 'files' = 'database'): Promise<WorkflowRuns> {
    const [server, github] = await Promise.all([source === 'database' ? startServer(15) : undefined, GitHub.start()])
    const runs = new WorkflowRuns(server, github)
    try {
      await server?.createDatabase('shop')
      await server?.sql('CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS what FROM generate_series(1, 2000) g', 'shop')
      const { log, outputs } = await runs.run('backup', REPOSITORY)
      runs.first = outputs['snapshot-id'] ?? ''
      if (runs.first === '') throw new Error(log)
      return runs
    } catch (error) {
      await runs.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#server?.stop(), this.github.stop()])
    rmSync(this.#folder, { recursive: true })
  }

  get server(): Server {
    if (!this.#server) throw new Error('these are runs over files')
    return this.#server
  }

  /** A repository that has one backup. */
  copy(): string {
    const name = `octo/copy-${++this.#copies}`
    this.github.copyRepository(REPOSITORY, name)
    return name
  }

  /** How many artifacts have come to a repository since it was copied. */
  added(repository: string): number {
    const count = (name: string) => this.github.live().filter(({ run }) => run.repository === name).length
    return count(repository) - count(REPOSITORY)
  }

  /** Starts a step with the defaults of action.yml for all that is not given. */
  async start(action: Action, repository: string, given: Record<string, string> = {}, variables: Record<string, string> = {}): Promise<Started> {
    const { github } = this
    const source: Record<string, string> = this.#server ? { 'database-url': this.#server.url('shop') } : { volumes: `files=${this.#folder}/files` }
    const work = mkdtempSync(path.join(this.#folder, 'machine-'))
    const tracking = `github_${randomUUID()}`
    const inputs = { 'encryption-key': identity, ...(action === 'backup' && source), ...given }
    const { main, inputs: all } = actionStep(action === 'backup' ? '' : action, inputs, { token: github.token('read', repository) })
    const PATH = [clientDirectory(15), process.env['PATH']].join(path.delimiter)
    const step = await startStep(work, { main, inputs: all, variables: { ...github.startRun(repository), RUNNER_TRACKING_ID: tracking, PATH, ...variables } })
    const left = () => [...tracked(tracking).map(({ command }) => command), ...readdirSync(path.join(work, '_temp')).filter((name) => name !== '_runner_file_commands')]
    return { ...step, result: step.result.then((ending) => ({ ...ending, left: left() })) }
  }

  async run(action: Action, repository: string, given: Record<string, string> = {}, variables: Record<string, string> = {}): Promise<Ran> {
    return (await this.start(action, repository, given, variables)).result
  }

  /** Resolves once a repository has had so many calls of a name. */
  async called(name: string, repository: string, times = 1): Promise<void> {
    while (this.github.calls.filter((call) => call.name === name && call.repository === repository).length < times) await sleep(10)
  }

  /** The next backup succeeds, and what it stored and what was there first can be read to the last byte. */
  async expectHealthy(repository: string): Promise<void> {
    const backup = await this.run('backup', repository, { verify: 'read' })
    expect(problemOf(backup)).toBeUndefined()
    expect(backup.outputs['verified']).toBe('read')
    const verification = await this.run('verify', repository, { snapshot: this.first, level: 'read' })
    expect([problemOf(verification), verification.outputs['outcome']]).toEqual([undefined, 'verified'])
  }
}

/** The error of a failed step, with its hint; undefined if it did not fail. Throws if the step ended in another way, left something behind, or printed the error badly. */
export function problemOf({ status, signal, log, outputs, summary, left }: Ran): string | undefined {
  expect([signal, left]).toEqual([null, []])
  const errors = [...log.matchAll(/^::error title=[^:]*::(.*)$/gm)].map((match) => match[1]!.replaceAll('%0A', '\n'))
  expect(log).not.toMatch(/[?&]sig=/)
  if (status === 0) {
    expect(errors).toEqual([])
    return undefined
  }
  expect(errors).toHaveLength(1)
  expect(outputs).toEqual({ outcome: 'failed' })
  expect(summary).toMatch(/^### ❌ Lifeboat: \w+ failed\n/)
  return errors[0]
}

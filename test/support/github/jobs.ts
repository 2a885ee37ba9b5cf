import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Command } from '../../../src/commands/all.ts'
import { statusOf, textOf } from '../../../src/commands/run-command.ts'
import { noise } from '../bytes.ts'
import type { ResultOf } from '../dispatched.ts'
import { runDocumented } from '../documented.ts'
import { identity } from '../engine.ts'
import type { GitHub, StoredArtifact } from './emulator.ts'
import { filesIn, type Files } from './zip.ts'

export interface Ended<C extends Command> {
  result: ResultOf<C>
  status: 0 | 1 | 3
  text: string
  warnings: string[]
}

/** Commands as jobs of one repository run them, each in a run of its own, on a folder that they back up to artifacts. */
export class Jobs {
  readonly github: GitHub
  repository: string
  readonly key: string
  readonly folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-jobs-'))
  readonly data = path.join(this.folder, 'data')
  readonly #restored = path.join(this.folder, 'restored')
  #changes = 0

  constructor(github: GitHub, repository: string, key = identity) {
    this.github = github
    this.repository = repository
    this.key = key
    mkdirSync(this.data)
    writeFileSync(path.join(this.data, 'first'), noise('first', 4_000_000))
  }

  close(): void {
    rmSync(this.folder, { recursive: true })
  }

  /** Changes a small file, so that the next backup stores something, and depends on what is there. */
  change(): void {
    writeFileSync(path.join(this.data, 'small'), noise(`change ${++this.#changes}`, 100_000))
  }

  async run<C extends Command>(command: C, raw: Record<string, string> = {}): Promise<Ended<C>> {
    const { github, repository } = this
    const warnings: string[] = []
    const report = { info: () => undefined, warning: (message: string, hint?: string) => void warnings.push(hint === undefined ? message : `${message} (${hint})`), progress: () => undefined, mask: () => undefined }
    const environment = { variables: { ...github.startRun(repository), PATH: process.env['PATH'] }, signal: new AbortController().signal, report, temporary: path.join(this.folder, 'tmp'), now: () => github.now() }
    const given = { destination: 'artifact', 'encryption-key': this.key, token: github.token('write', repository), ...(command === 'backup' && { volumes: `files=${this.data}`, verify: 'read' }) }
    const outcome = await runDocumented(command, { ...given, ...raw }, environment)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- these back up one folder
    return { result: outcome.result as ResultOf<C>, status: statusOf(outcome), text: textOf(outcome, 'lifeboat'), warnings }
  }

  /** Restores the newest snapshot, and compares it with what was backed up. */
  async restore(raw: Record<string, string> = {}): Promise<Ended<'restore'>> {
    rmSync(this.#restored, { recursive: true, force: true })
    const ended = await this.run('restore', { volume: 'files', target: this.#restored, ...raw })
    for (const name of ['first', 'small']) expect(readFileSync(path.join(this.#restored, name)).equals(readFileSync(path.join(this.data, name)))).toBe(true)
    return ended
  }

  artifacts(): StoredArtifact[] {
    return this.github.live().filter(({ run }) => run.repository === this.repository)
  }

  /** The artifact that was uploaded last under the name that a run's first backup has; a proof comes after it, under another. */
  newest(): StoredArtifact {
    return this.artifacts().findLast(({ name }) => name === 'lifeboat-default')!
  }

  /** The files in that. */
  async files(): Promise<Files> {
    return filesIn(await this.github.content(this.newest()))
  }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ArtifactStoreOptions } from '../../../src/stores/artifact/store.ts'
import { ArtifactStore } from '../../../src/stores/artifact/store.ts'
import type { Authenticator } from '../../../src/stores/store.ts'
import { authenticatorOf } from '../../../src/repository/authenticator.ts'
import { keys } from '../engine.ts'
import { GitHub } from './emulator.ts'

/** Signs with a key of the tests, the same for all. */
export const authenticator: Authenticator = authenticatorOf(keys)

/** Stores over emulated services, with one folder for all their staging and the warnings they gave. */
export class ArtifactStores {
  readonly warnings: string[] = []
  readonly temporary: string
  readonly #github: GitHub
  readonly #open: ArtifactStore[] = []

  private constructor(github: GitHub, temporary: string) {
    this.#github = github
    this.temporary = temporary
  }

  static async in(github: GitHub): Promise<ArtifactStores> {
    return new ArtifactStores(github, await mkdtemp(path.join(tmpdir(), 'artifacts-')))
  }

  /** As a step of a new run sees it. Default: with a token that may read, and with the key (null: none). */
  open({ key = authenticator, ...given }: Partial<ArtifactStoreOptions> & { key?: Authenticator | null } = {}): ArtifactStore {
    const github = this.#github
    const store = new ArtifactStore({
      set: 'shop',
      token: github.token(),
      variables: github.startRun(),
      temporary: this.temporary,
      timeout: 30_000,
      retention: { artifact: 90, snapshot: 30, short: 0 },
      fullEvery: Infinity,
      signal: new AbortController().signal,
      report: { info: () => undefined, warning: (message, hint) => this.warnings.push(hint === undefined ? message : `${message} (${hint})`) },
      now: () => github.now(),
      ...given,
    })
    if (key) store.groups.authenticate(key)
    this.#open.push(store)
    return store
  }

  async close(): Promise<void> {
    for (const store of this.#open) await store.close()
    await rm(this.temporary, { recursive: true, force: true })
  }
}

/** Emulated services for the tests of a file, as new before each test, with stores that are closed after it; `given` is told of both. */
export function withArtifacts(given: (github: GitHub, stores: ArtifactStores) => void): void {
  let github: GitHub
  let stores: ArtifactStores
  beforeAll(async () => {
    github = await GitHub.start()
  })
  afterAll(() => github.stop())
  beforeEach(async () => {
    github.reset()
    stores = await ArtifactStores.in(github)
    given(github, stores)
  })
  afterEach(() => stores.close())
}

/** The variables of a person's terminal. */
export function terminalOf(github: GitHub): Record<string, string> {
  return { GITHUB_REPOSITORY: 'octo/shop', GITHUB_API_URL: github.url }
}

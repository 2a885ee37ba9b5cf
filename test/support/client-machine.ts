import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Client } from '../../src/sources/postgres/clients.ts'
import type { Places, ProvideOptions } from '../../src/sources/postgres/client-download/options.ts'
import { provideClient, provideServer } from '../../src/sources/postgres/client-download/provide.ts'
import type { AptRepository } from './apt-repository.ts'

/** A Debian 12 that knows one archive as its distribution's, and a runner's folders. Its programs and installed packages are this machine's. */
export interface Machine {
  readonly folder: string
  readonly temporary: string
  readonly toolCache: string
  readonly variables: Record<string, string>
  readonly warnings: string[]
  provide(major: number | 'newest', overrides?: Partial<Omit<ProvideOptions, 'places'>> & { places?: Partial<Places> }): Promise<Client>
  /** Programs of a server. */
  provideServer(major: number): Promise<Client>
  remove(): void
}

export function makeMachine(distribution: { uri: string; keyFile: string }, project: AptRepository, network?: Record<string, string>): Machine {
  // A folder with a space in its name, but where the toolkit's cache client works: its call of tar cannot cope.
  const folder = mkdtempSync(path.join(tmpdir(), network ? 'lifeboat-machine-' : 'lifeboat machine-'))
  const settings = path.join(folder, 'apt')
  const toolCache = path.join(folder, 'tools')
  const runnerTemp = path.join(folder, 'temp')
  const temporary = path.join(runnerTemp, 'staging')
  mkdirSync(path.join(settings, 'sources.list.d'), { recursive: true })
  mkdirSync(runnerTemp)
  writeFileSync(path.join(settings, 'sources.list.d/distribution.sources'), `Types: deb\nURIs: ${distribution.uri}\nSuites: bookworm\nComponents: main\nSigned-By: ${distribution.keyFile}\n`)
  const osRelease = path.join(folder, 'os-release')
  writeFileSync(osRelease, 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
  const warnings: string[] = []
  const variables = { PATH: process.env.PATH ?? '', HOME: folder, RUNNER_TOOL_CACHE: toolCache, RUNNER_TEMP: runnerTemp, ...network }
  const options: ProvideOptions = {
    variables, temporary, signal: new AbortController().signal, now: () => new Date(),
    report: { info: () => undefined, warning: (message) => void warnings.push(message), progress: () => undefined, mask: () => undefined },
    places: { machine: settings, osRelease, project: { uri: project.uri, key: project.key }, timeLimit: 30_000 },
  }
  return {
    folder, temporary, toolCache, variables, warnings,
    provide: (major, { places, ...overrides } = {}) => provideClient(major, { ...options, places: { ...options.places, ...places }, ...overrides }),
    provideServer: (major) => provideServer(major, options),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

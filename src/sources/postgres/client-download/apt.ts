import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../../environment.ts'
import { ChildError, startChild } from '../../../process/child.ts'
import { LifeboatError, messageOf } from '../../../error.ts'

/**
 * A private apt in `folder`: the machine's sources, keys and proxies, but its own lists, cache and record of installed packages. Needs
 * no root and changes nothing of the system.
 */
export interface Apt {
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** For each command, in milliseconds. */
  readonly timeLimit: number
}

export interface AptSettings {
  folder: string
  /** The machine's settings of apt: `/etc/apt`, except in tests. */
  machine: string
  /** dpkg's record of installed packages: `/var/lib/dpkg/status`, except in tests. */
  status: string
  /** By dpkg's name: `amd64`. */
  architecture: string
  variables: Variables
  signal: AbortSignal
  timeLimit: number
  /** With the machine's own sources, or none. */
  withSources: boolean
}

/** Sets up the private apt. */
export async function openApt({
  folder,
  machine,
  status,
  architecture,
  variables,
  signal,
  timeLimit,
  withSources,
}: AptSettings): Promise<Apt> {
  for (const name of ['sources', 'lists/partial', 'cache/archives/partial'])
    await mkdir(path.join(folder, name), { recursive: true, mode: 0o700 })
  const configuration = path.join(folder, 'apt.conf')
  const kept = [
    'PATH',
    'HOME',
    'TMPDIR',
    'http_proxy',
    'https_proxy',
    'ftp_proxy',
    'no_proxy',
    'all_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'ALL_PROXY',
  ]
  const inherited = Object.fromEntries(kept.flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]]])))
  const environment = { ...inherited, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
  const apt = { folder, environment: { ...environment, APT_CONFIG: configuration }, signal, timeLimit }

  const settings = await runApt({ ...apt, environment }, 'apt-config', ['dump', 'Acquire'])
  await writeFile(configuration, configurationOf(folder, machine, architecture, networkSettings(settings)), { mode: 0o600 })
  await writeFile(path.join(folder, 'status'), baseSystem(await readFile(status, 'utf8'), architecture))
  // The base system's libc is what every other program here runs with: a package that wants a newer one does not fit.
  await writeFile(path.join(folder, 'preferences'), 'Package: libc6\nPin: release *\nPin-Priority: -1\n')
  if (withSources) await copySources(machine, path.join(folder, 'sources'))
  return apt
}

/** A source of packages beside the machine's own. */
export interface AptSource {
  uri: string
  suite: string
  components: readonly string[]
  /** Files of keys, or one key in ASCII armour: nothing that another key signed is taken. */
  signedBy: readonly string[] | string
  /** More fields, as in `sources.list(5)`. */
  options?: Readonly<Record<string, string>>
}

export function addSource(apt: Apt, name: string, { uri, suite, components, signedBy, options = {} }: AptSource): Promise<void> {
  const key =
    typeof signedBy === 'string'
      ? signedBy
          .trimEnd()
          .split('\n')
          .map((line) => `\n ${line || '.'}`)
          .join('')
      : ` ${signedBy.join(' ')}`
  const fields = [
    'Types: deb', `URIs: ${uri}`, `Suites: ${suite}`, `Components: ${components.join(' ')}`,
    ...Object.entries(options).map(([field, value]) => `${field}: ${value}`), `Signed-By:${key}`,
  ]
  return writeFile(path.join(apt.folder, 'sources', `${name}.sources`), `${fields.join('\n')}\n`)
}

/**
 * Fetches the indices. Gives the complaints of apt, which goes on with valid sources, and uses nothing of a source with an invalid
 * signature.
 */
export async function updateLists(apt: Apt): Promise<string[]> {
  try {
    return complaints(await runApt(apt, 'apt-get', ['update']))
  } catch (error) {
    if (error instanceof AptFailure) return error.complaints
    throw error
  }
}

/** The majors of which the lists have a package with this name before its major, newest first. */
export async function majorsOffered(apt: Apt, name: string): Promise<number[]> {
  const found = await runApt(apt, 'apt-cache', ['search', '--names-only', `^${name}[0-9]+$`])
  const majors = [...found.matchAll(new RegExp(`^${name}(\\d+) `, 'gm'))].map((match) => Number(match[1]))
  return majors.toSorted((a, b) => b - a)
}

/**
 * Downloads a package and what it needs beyond the base system, checked by apt against the signed indices. Gives the paths of the `.deb`
 * files.
 */
export async function downloadPackages(apt: Apt, name: string): Promise<string[]> {
  await runApt(apt, 'apt-get', ['-y', '--no-install-recommends', '--download-only', 'install', name])
  const archives = path.join(apt.folder, 'cache/archives')
  return (await readdir(archives)).filter((file) => file.endsWith('.deb')).map((file) => path.join(archives, file))
}

/** A program of apt failed; `complaints` are its own messages. */
export class AptFailure extends LifeboatError {
  readonly complaints: string[]

  constructor(program: string, complaints: string[], cause: unknown) {
    super(`${program} failed: ${complaints.join('; ') || messageOf(cause)}`, { cause })
    this.complaints = complaints
  }
}

/** The output of a program of apt, stdout and stderr. Throws `AptFailure` if it failed or took too long. */
export async function runApt(apt: Apt, program: string, parameters: readonly string[]): Promise<string> {
  const limit = AbortSignal.timeout(apt.timeLimit)
  apt.signal.throwIfAborted()
  const child = startChild(program, parameters, { environment: apt.environment, signal: AbortSignal.any([apt.signal, limit]) })
  child.end()
  let printed = ''
  try {
    for await (const bytes of child.stdout) printed += bytes.toString()
    return printed + (await child.exit).stderr
  } catch (error) {
    apt.signal.throwIfAborted()
    if (limit.aborted) throw new AptFailure(program, [`no end after ${apt.timeLimit / 1000} s`], error)
    throw new AptFailure(program, error instanceof ChildError ? complaints(printed + error.exit.stderr) : [], error)
  }
}

/** The errors and warnings of apt, and dependencies that cannot be met. */
function complaints(printed: string): string[] {
  const lines = printed.split('\n').flatMap((line) => /^[EW]: (.+)/.exec(line)?.[1] ?? /^ *(\S+ : Depends: .+)/.exec(line)?.[1] ?? [])
  const depends = lines.filter((line) => line.includes(' : Depends: '))
  const told = depends.length > 0 ? depends : lines.filter((line) => !/^Some index files failed|^Unable to correct problems/.test(line))
  return [...new Set(told.map((line) => line.trim()))].slice(0, 4)
}

function configurationOf(folder: string, machine: string, architecture: string, network: string[]): string {
  return [
    ...network,
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::AllowWeakRepositories "false";',
    'Acquire::AllowDowngradeToInsecureRepositories "false";',
    'APT::Get::AllowUnauthenticated "false";',
    'Acquire::Languages "none";',
    'Acquire::GzipIndexes "false";',
    'Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "15";',
    'Acquire::https::Timeout "15";',
    `APT::Architecture ${value(architecture)};`,
    `APT::Architectures { ${value(architecture)}; };`,
    'APT::Sandbox::User "root";',
    'Debug::NoLocking "true";',
    `Dir::Etc ${value(machine)};`,
    // The machine's hooks after an update would change its own lists and caches; the needed settings are above.
    'Dir::Etc::Main "/dev/null";',
    'Dir::Etc::Parts "/dev/null";',
    'Dir::Etc::SourceList "/dev/null";',
    `Dir::Etc::SourceParts ${value(path.join(folder, 'sources'))};`,
    `Dir::Etc::Preferences ${value(path.join(folder, 'preferences'))};`,
    'Dir::Etc::PreferencesParts "/dev/null";',
    `Dir::State ${value(folder)};`,
    `Dir::State::lists ${value(path.join(folder, 'lists'))};`,
    `Dir::State::status ${value(path.join(folder, 'status'))};`,
    `Dir::Cache ${value(path.join(folder, 'cache'))};`,
    '',
  ].join('\n')
}

const value = (text: string) => JSON.stringify(text)

/** How the machine reaches its mirrors (proxies, certificates, address families), out of the output of `apt-config dump`. */
function networkSettings(dump: string): string[] {
  return dump.split('\n').filter((line) => /^Acquire::(?:https?|ForceIPv\d|Check-)/.test(line))
}

const REPLACED = /^Package: (?:libpq.*|postgresql.*|sensible-utils|ssl-cert|locales|libllvm\d+)$/m

/**
 * The record of installed packages for the private apt: without PostgreSQL's own packages, which it has to fetch, and without the
 * dependencies of the others, so that no package of the machine is upgraded, removed or found broken. The scripts and locales that the
 * packages depend on are not used, nor is the compiler of a server, which takes 100 MB.
 */
function baseSystem(status: string, architecture: string): string {
  const installed = status
    .split('\n\n')
    .filter((stanza) => /^Status: .* installed$/m.test(stanza) && !REPLACED.test(stanza))
  const compilers = Array.from({ length: 40 }, (_, version) => `libllvm${version}`)
  const stubs = ['postgresql-client-common', 'postgresql-common', 'sensible-utils', 'ssl-cert', 'locales', ...compilers].map(
    (name) => `Package: ${name}\nStatus: install ok installed\nVersion: 9999:1\nArchitecture: ${architecture}\nMulti-Arch: foreign`,
  )
  const kept = installed.map((stanza) =>
    stanza
      .split('\n')
      .filter((line) => /^(?:Package|Status|Version|Architecture|Multi-Arch|Provides): /.test(line))
      .join('\n'),
  )
  return `${[...kept, ...stubs].join('\n\n')}\n`
}

async function copySources(machine: string, folder: string): Promise<void> {
  for (const { name, text } of await sourceFiles(machine)) await writeFile(path.join(folder, name), text, { mode: 0o600 })
}

/** The files that list the machine's sources, without those that only root may read. */
export async function sourceFiles(machine: string): Promise<{ name: string; text: string }[]> {
  const parts = (await readIfAllowed(() => readdir(path.join(machine, 'sources.list.d')))) ?? []
  const files: { name: string; text: string }[] = []
  for (const name of ['../sources.list', ...parts.filter((name) => /\.(?:list|sources)$/.test(name))]) {
    const text = await readIfAllowed(() => readFile(path.join(machine, 'sources.list.d', name), 'utf8'))
    if (text !== undefined) files.push({ name: path.basename(name), text })
  }
  return files
}

async function readIfAllowed<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')) return undefined
    throw error
  }
}

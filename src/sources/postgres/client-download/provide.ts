import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { parseEnv } from 'node:util'
import { runChild } from '../../../process/child.ts'
import { LifeboatError, messageOf } from '../../../error.ts'
import type { Report } from '../../../environment.ts'
import { type Client, installHint } from '../clients.ts'
import { addSource, type Apt, AptFailure, downloadPackages, majorsOffered, openApt, runApt, updateLists } from './apt.ts'
import { POSTGRESQL_ARCHIVE_KEY } from './archive-key.ts'
import { clientFromImage } from './image.ts'
import { findKept, keep, keptProgramsRoot } from './kept-programs.ts'
import { keepMirror, machineKeys, useMirror } from './mirror.ts'
import { smokeTest, unpack } from './programs.ts'
import { openRunCache, type RunCache } from './run-cache.ts'

export interface ProvideOptions {
  variables: Readonly<Record<string, string | undefined>>
  signal: AbortSignal
  report: Report
  /** `Environment.temporary`: staging, and the home of programs that cannot be kept elsewhere. */
  temporary: string
  now: () => Date
  /** What tests have other ones of. */
  places?: Partial<Places>
}

/** Where packages come from, and what they are to fit. */
export interface Places {
  /** The machine's settings of apt. */
  machine: string
  /** dpkg's record of what is installed. */
  status: string
  /** Names the distribution. */
  osRelease: string
  /** The PostgreSQL project's archive, and the key it is signed with, in ASCII armour. */
  project: { uri: string; key: string }
  /** For each command of apt, in milliseconds. */
  timeLimit: number
  /** For GitHub's cache to give or take the programs, in milliseconds. */
  cacheLimit: number
}

const defaults: Places = {
  machine: '/etc/apt',
  status: '/var/lib/dpkg/status',
  osRelease: '/etc/os-release',
  project: { uri: 'https://apt.postgresql.org/pub/repos/apt', key: POSTGRESQL_ARCHIVE_KEY },
  timeLimit: 180_000,
  cacheLimit: 30_000,
}

/** The image to take where any major will do. */
const NEWEST_IMAGE = 18

const MONTH = 30 * 24 * 3600 * 1000

/**
 * Client programs of a major that is not installed, or, for `newest`, of the newest that can be had: kept from an earlier run, out of the
 * distribution's archive or the PostgreSQL project's, each checked by apt against its signature, or, where there is no apt, in the official Docker image.
 * Needs no root and changes nothing of the system. Programs older than a month are fetched again. Throws `LifeboatError` with every reason.
 */
export async function provideClient(major: number | 'newest', options: ProvideOptions): Promise<Client> {
  const { variables, signal, report, temporary, now } = options
  const places = { ...defaults, ...options.places }
  const hint = installHint(major === 'newest' ? undefined : major)
  if (!['apt-get', 'apt-cache', 'apt-config', 'dpkg', 'dpkg-deb'].every((program) => onPath(program, variables))) {
    if (onPath('docker', variables)) return clientFromImage(major === 'newest' ? NEWEST_IMAGE : major, await ownFolder(temporary), temporary, options)
    throw new LifeboatError(`${clientPrograms(major)} are not installed, and neither apt nor docker is here to fetch them with`, { hint })
  }

  const system = await systemOf(places, options)
  const root = keptProgramsRoot(variables)
  const kept = root === undefined ? undefined : await findKept(root, major, system.id).catch((error: unknown) => complain(options, `cannot read ${root}`, error))
  const usable = kept && (await checkKept(kept.folder, kept.major, options))
  if (kept && usable && now().getTime() - kept.since.getTime() < MONTH) return usable

  const folder = await ownFolder(temporary)
  try {
    report.info(`fetching ${clientPrograms(major)}`)
    const { client, version } = await fetchClient(major, folder, system, { ...options, places })
    const place = root && (await keep(root, path.join(folder, 'programs'), version, system.id).catch((error: unknown) => complain(options, `cannot keep the client programs in ${root}`, error)))
    const stays = place && (await checkKept(place, client.major, options))
    if (!stays) return client
    await rm(folder, { recursive: true, force: true })
    return stays
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    signal.throwIfAborted()
    if (usable) {
      report.warning(`the kept PostgreSQL ${usable.major} client programs are more than a month old, and newer ones could not be had: ${messageOf(error)}`)
      return usable
    }
    throw error instanceof LifeboatError ? new LifeboatError(error.message, { hint, cause: error.cause }) : error
  }
}

async function checkKept(folder: string, major: number, options: ProvideOptions): Promise<Client | undefined> {
  return smokeTest(path.join(folder, 'bin'), major, options).catch((error: unknown) => complain(options, `${folder} is of no use, remove it`, error))
}

async function ownFolder(temporary: string): Promise<string> {
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  return mkdtemp(path.join(temporary, 'client-'))
}

interface System {
  /** dpkg's name of it: `amd64`. */
  architecture: string
  /** `debian-12-amd64` */
  id: string
  /** The distribution's release, which the project's archive has a suite for. */
  codename: string | undefined
}

type Context = ProvideOptions & { places: Places }

interface Fetched {
  client: Client
  /** Of the package. */
  version: string
}

/** From the cache of earlier runs, else from the archives, and then into that cache. */
async function fetchClient(major: number | 'newest', folder: string, system: System, context: Context): Promise<Fetched> {
  const { variables, report, now } = context
  const name = `lifeboat-postgresql-client-${major}-${system.id}`
  // Entries are never replaced, and the newest version is not known before the archives are asked: once a month they are.
  const prefix = `${name}-${now().toISOString().slice(0, 7)}-`
  const cache = await openRunCache(variables, name, context.places.cacheLimit, report)
  if (cache && (await cache.restore(prefix))) {
    const restored = await fromCache(cache, major, folder, system, context)
    if (restored) return restored
  }
  const { apt, packages } = await fromArchives(major, folder, system, context)
  const fetched = await install(packages, folder, context)
  if (cache) await save(cache, `${prefix}${fetched.version}`, apt, packages, context)
  return fetched
}

async function fromCache(cache: RunCache, major: number | 'newest', folder: string, system: System, context: Context): Promise<Fetched | undefined> {
  const mirror = path.join(folder, 'kept')
  try {
    const apt = await privateApt(mirror, system, context, false)
    await useMirror(apt, cache.folder, await machineKeys(context.places.machine), context.places.project.key)
    const complaints = await updateLists(apt)
    const offered = await majorsOffered(apt)
    const chosen = major === 'newest' ? offered[0] : offered.find((one) => one === major)
    if (chosen === undefined) throw new AptFailure('apt-get', complaints, 'it holds no such programs')
    return await install(await downloadPackages(apt, `postgresql-client-${chosen}`), folder, context)
  } catch (error) {
    context.signal.throwIfAborted()
    return complain(context, "the entry in GitHub's cache is refused", error)
  } finally {
    await rm(mirror, { recursive: true, force: true })
  }
}

async function save(cache: RunCache, key: string, apt: Apt, packages: string[], context: Context): Promise<void> {
  try {
    await keepMirror(apt, packages, cache.folder)
  } catch (error) {
    complain(context, "the client programs cannot be kept in GitHub's cache", error)
    return
  }
  await cache.save(key)
}

/** The distribution's own archive, as the machine's sources name it, then the PostgreSQL project's beside it. */
async function fromArchives(major: number | 'newest', folder: string, system: System, context: Context): Promise<{ apt: Apt; packages: string[] }> {
  const { project } = context.places
  const { codename } = system
  const apt = await privateApt(path.join(folder, 'apt'), system, context, true)
  const reasons: string[] = []
  const attempt = async (archive: string): Promise<string[] | undefined> => {
    const complaints = await updateLists(apt)
    const offered = await majorsOffered(apt)
    const chosen = major === 'newest' ? offered[0] : offered.find((one) => one === major)
    if (chosen === undefined) {
      const has = offered.length > 0 ? `has PostgreSQL ${offered.join(', ')}` : 'has no PostgreSQL client programs'
      reasons.push(`${archive} ${has}${complaints.length > 0 ? ` (${complaints.join('; ')})` : ''}`)
      return undefined
    }
    try {
      return await downloadPackages(apt, `postgresql-client-${chosen}`)
    } catch (error) {
      if (!(error instanceof AptFailure)) throw error
      reasons.push(`${archive} has PostgreSQL ${chosen}, but ${error.complaints.join('; ') || error.message}`)
      return undefined
    }
  }
  let packages = await attempt("the distribution's archive")
  if (packages === undefined && codename !== undefined) {
    await addSource(apt, 'postgresql', { uri: project.uri, suite: `${codename}-pgdg`, components: ['main'], signedBy: project.key })
    packages = await attempt(`with ${new URL(project.uri).host} it`)
  }
  if (packages === undefined) throw new LifeboatError(`${clientPrograms(major)} are not installed and cannot be fetched: ${reasons.join('; ')}`)
  return { apt, packages }
}

async function privateApt(folder: string, { architecture }: System, { places, variables, signal }: Context, withSources: boolean): Promise<Apt> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { machine, status, timeLimit } = places
  return openApt({ folder, machine, status, architecture, variables, signal, timeLimit, withSources })
}

async function install(packages: string[], folder: string, context: Context): Promise<Fetched> {
  const wanted = packages.find((file) => /^postgresql-client-\d+_/.test(path.basename(file)))
  if (wanted === undefined) throw new LifeboatError(`apt fetched no client programs, but ${packages.map((file) => path.basename(file)).join(', ') || 'nothing'}`)
  const programs = path.join(folder, 'programs')
  await rm(programs, { recursive: true, force: true })
  await unpack(packages, programs, context)
  const client = await smokeTest(path.join(programs, 'bin'), Number(/^postgresql-client-(\d+)_/.exec(path.basename(wanted))?.[1]), context)
  const version = await runChild('dpkg-deb', ['--field', wanted, 'Version'], { environment: { PATH: context.variables.PATH ?? '' }, signal: context.signal })
  return { client, version: version.stdout.trim() }
}

async function systemOf(places: Places, { variables, signal }: ProvideOptions): Promise<System> {
  const { ID = 'linux', VERSION_ID, VERSION_CODENAME, UBUNTU_CODENAME, DEBIAN_CODENAME } = parseEnv(await readFile(places.osRelease, 'utf8'))
  const environment = { PATH: variables.PATH ?? '' }
  const architecture = (await runApt({ folder: '', environment, signal, timeLimit: places.timeLimit }, 'dpkg', ['--print-architecture'])).trim()
  return { architecture, id: `${ID}-${VERSION_ID ?? VERSION_CODENAME ?? 'rolling'}-${architecture}`, codename: UBUNTU_CODENAME ?? DEBIAN_CODENAME ?? VERSION_CODENAME }
}

function complain({ report, signal }: Pick<ProvideOptions, 'report' | 'signal'>, what: string, error: unknown): undefined {
  signal.throwIfAborted()
  report.warning(`${what}: ${messageOf(error)}`)
}

const clientPrograms = (major: number | 'newest') => (major === 'newest' ? 'PostgreSQL client programs' : `the PostgreSQL ${major} client programs`)

function onPath(program: string, variables: ProvideOptions['variables']): boolean {
  return (variables.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK)
      return path.isAbsolute(folder)
    } catch {
      return false // Not in this folder.
    }
  })
}

import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { LifeboatError } from '../../../error.ts'
import { runChild } from '../../../process/child.ts'
import { addSource, type Apt, AptFailure, downloadPackages, majorsOffered, openApt, updateLists } from './apt.ts'
import { keepMirror, machineKeys, useMirror } from './mirror.ts'
import { smokeTest, unpack } from './programs.ts'
import { complain, type ProvideContext } from './options.ts'
import type { ProgramSet, Programs } from './program-sets.ts'
import { openRunCache, type RunCache } from './run-cache.ts'
import type { System } from './system.ts'

/** `newest`: the newest that is available. */
export type Major = number | 'newest'

export interface Fetched {
  programs: Programs
  /** Of the package. */
  version: string
  /** The folder with everything of them, which can be moved. */
  root: string
}

export const majorText = (major: Major, { noun }: ProgramSet): string =>
  major === 'newest' ? `PostgreSQL ${noun}` : `the PostgreSQL ${major} ${noun}`

/** From the cache of earlier runs, or else from the archives, and then into that cache. */
export async function fetchPrograms(major: Major, folder: string, system: System, context: ProvideContext): Promise<Fetched> {
  const { variables, report, now } = context
  const name = `${context.set.kept}-${major}-${system.id}`
  // Entries are never replaced, and the newest version is unknown before the archives are asked, so that they are asked once a month.
  const prefix = `${name}-${now().toISOString().slice(0, 7)}-`
  const cache = await openRunCache(variables, name, context.set.noun, context.places.cacheLimit, report)
  if (cache && (await cache.restore(prefix))) {
    const restored = await fromCache(cache, major, folder, system, context)
    if (restored) return restored
  }
  const { apt, packages } = await fromArchives(major, folder, system, context)
  const fetched = await install(packages, folder, context)
  if (cache) await save(cache, `${prefix}${fetched.version}`, apt, packages, context)
  return fetched
}

async function fromCache(
  cache: RunCache,
  major: Major,
  folder: string,
  system: System,
  context: ProvideContext,
): Promise<Fetched | undefined> {
  const mirror = path.join(folder, 'kept')
  try {
    const apt = await privateApt(mirror, system, context, false)
    await useMirror(apt, cache.folder, await machineKeys(context.places.machine), context.places.project.key)
    const complaints = await updateLists(apt)
    const { chosen } = await choose(apt, major, context)
    if (chosen === undefined) throw new AptFailure('apt-get', complaints, 'it holds no such programs')
    return await install(await downloadPackages(apt, `${context.set.package}${chosen}`), folder, context)
  } catch (error) {
    context.signal.throwIfAborted()
    return complain(context, "the entry in GitHub's cache is refused", error)
  } finally {
    await rm(mirror, { recursive: true, force: true })
  }
}

async function save(cache: RunCache, key: string, apt: Apt, packages: string[], context: ProvideContext): Promise<void> {
  try {
    await keepMirror(apt, packages, cache.folder)
  } catch (error) {
    complain(context, `the ${context.set.noun} cannot be kept in GitHub's cache`, error)
    return
  }
  await cache.save(key)
}

/** From the distribution's own archive, as the machine's sources name it, or else with the PostgreSQL project's beside it. */
async function fromArchives(
  major: Major,
  folder: string,
  system: System,
  context: ProvideContext,
): Promise<{ apt: Apt; packages: string[] }> {
  const { project } = context.places
  const apt = await privateApt(path.join(folder, 'apt'), system, context, true)
  const reasons: string[] = []
  const own = await fromLists(apt, major, "the distribution's archive", reasons, context)
  if (own) return { apt, packages: own }
  if (system.codename !== undefined) {
    await addSource(apt, 'postgresql', { uri: project.uri, suite: `${system.codename}-pgdg`, components: ['main'], signedBy: project.key })
    const both = await fromLists(apt, major, `with ${new URL(project.uri).host} it`, reasons, context)
    if (both) return { apt, packages: both }
  }
  throw new LifeboatError(`${majorText(major, context.set)} are not installed and cannot be fetched: ${reasons.join('; ')}`)
}

/** Words of apt. */
const NO_CONNECTION = /could not (?:connect|resolve)|connection (?:failed|refused|timed out)|temporary failure|unable to connect/i

/** The packages, from the archives that a private apt knows. Undefined, with another reason, if they do not have them. */
async function fromLists(
  apt: Apt,
  major: Major,
  archive: string,
  reasons: string[],
  context: ProvideContext,
): Promise<string[] | undefined> {
  const complaints = await updateLists(apt)
  const { chosen, offered } = await choose(apt, major, context)
  if (chosen === undefined) {
    const { host } = new URL(context.places.project.uri)
    if (complaints.some((complaint) => complaint.includes(host))) {
      // The cause comes first: what the other archives have is no news.
      const how = complaints.some((complaint) => NO_CONNECTION.test(complaint)) ? 'reached' : 'used'
      reasons.unshift(`${host} could not be ${how} (${complaints.join('; ')})`)
      return undefined
    }
    const has = offered.length > 0 ? `has PostgreSQL ${offered.join(', ')}` : `has no PostgreSQL ${context.set.noun}`
    reasons.push(`${archive} ${has}${complaints.length > 0 ? ` (${complaints.join('; ')})` : ''}`)
    return undefined
  }
  try {
    return await downloadPackages(apt, `${context.set.package}${chosen}`)
  } catch (error) {
    if (!(error instanceof AptFailure)) throw error
    reasons.push(`${archive} has PostgreSQL ${chosen}, but ${error.complaints.join('; ') || error.message}`)
    return undefined
  }
}

async function choose(
  apt: Apt,
  major: Major,
  { set }: ProvideContext,
): Promise<{ chosen: number | undefined; offered: number[] }> {
  const offered = await majorsOffered(apt, set.package)
  return { chosen: major === 'newest' ? offered[0] : offered.find((one) => one === major), offered }
}

async function privateApt(
  folder: string,
  { architecture }: System,
  { places, variables, signal }: ProvideContext,
  withSources: boolean,
): Promise<Apt> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { machine, status, timeLimit } = places
  return openApt({ folder, machine, status, architecture, variables, signal, timeLimit, withSources })
}

async function install(packages: string[], folder: string, context: ProvideContext): Promise<Fetched> {
  const { set } = context
  const names = packages.map((file) => path.basename(file))
  const named = new RegExp(`^${set.package}(\\d+)_`)
  const wanted = packages.find((file) => named.test(path.basename(file)))
  if (wanted === undefined) throw new LifeboatError(`apt fetched no ${set.noun}, but ${names.join(', ') || 'nothing'}`)
  const root = path.join(folder, 'programs')
  await rm(root, { recursive: true, force: true })
  await unpack(packages, set, root, context)
  const major = Number(named.exec(path.basename(wanted))?.[1])
  const programs = await smokeTest(path.join(root, 'bin'), set, major, context)
  const environment = { PATH: context.variables.PATH ?? '' }
  const version = await runChild('dpkg-deb', ['--field', wanted, 'Version'], { environment, signal: context.signal })
  return { programs, version: version.stdout.trim(), root }
}

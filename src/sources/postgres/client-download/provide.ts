import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../../environment.ts'
import { LifeboatError, messageOf } from '../../../error.ts'
import { type Client, installHint } from '../clients.ts'
import { POSTGRESQL_ARCHIVE_KEY } from './archive-key.ts'
import { fetchPrograms, type Major, majorText } from './fetch.ts'
import { clientFromImage } from './image.ts'
import { findKept, keep, keptProgramsRoot } from './kept-programs.ts'
import { NEWEST_PINNED } from './official-images.ts'
import { complain, type Places, type ProvideContext, type ProvideOptions } from './options.ts'
import { CLIENT, type ProgramSet, type Programs, SERVER } from './program-sets.ts'
import { smokeTest } from './programs.ts'
import { onPath, type System, systemOf } from './system.ts'

const defaults: Places = {
  machine: '/etc/apt',
  status: '/var/lib/dpkg/status',
  osRelease: '/etc/os-release',
  project: { uri: 'https://apt.postgresql.org/pub/repos/apt', key: POSTGRESQL_ARCHIVE_KEY },
  timeLimit: 180_000,
  cacheLimit: 30_000,
}

const MONTH = 30 * 24 * 3600 * 1000

/**
 * Client programs of a major that is not installed, or, for `newest`, of the newest that is available: kept from an earlier run, out of the
 * distribution's archive or the PostgreSQL project's, each checked by apt against its signature, or, if there is no apt, in the official
 * Docker image. Needs no root and changes nothing of the system. Programs older than a month are fetched again. Throws `LifeboatError` with
 * every reason.
 */
export async function provideClient(major: Major, options: ProvideOptions): Promise<Client> {
  const context = contextOf(CLIENT, options)
  if (!hasApt(context.variables)) return withoutApt(major, context)
  return provide(major, context)
}

/** Server programs of a major that is not installed, in the same way. Throws `LifeboatError` with every reason, also if there is no apt. */
export async function provideServer(major: number, options: ProvideOptions): Promise<Programs> {
  const context = contextOf(SERVER, options)
  if (hasApt(context.variables)) return provide(major, context)
  throw new LifeboatError(`${majorText(major, SERVER)} are not installed, and apt is not here to fetch them with`)
}

function contextOf(set: ProgramSet, options: ProvideOptions): ProvideContext {
  return { ...options, set, places: { ...defaults, ...options.places } }
}

function hasApt(variables: Variables): boolean {
  return ['apt-get', 'apt-cache', 'apt-config', 'dpkg', 'dpkg-deb'].every((program) => onPath(program, variables))
}

async function provide(major: Major, context: ProvideContext): Promise<Programs> {
  const { variables, signal, report, now, set } = context
  const system = await systemOf(context.places, context)
  const root = keptProgramsRoot(variables)
  const kept = root === undefined ? undefined : await usableKept(root, major, system, context)
  if (kept && now().getTime() - kept.since.getTime() < MONTH) return kept.programs
  try {
    report.info(`fetching ${majorText(major, set)}`)
    return await fetchAndKeep(major, system, root, context)
  } catch (error) {
    signal.throwIfAborted()
    if (!kept) throw error instanceof LifeboatError && set === CLIENT
      ? new LifeboatError(error.message, { hint: hintFor(major), cause: error.cause })
      : error
    const why = messageOf(error)
    report.warning(
      `the kept PostgreSQL ${kept.programs.major} ${set.noun} are more than a month old, and newer ones are not available: ${why}`,
    )
    return kept.programs
  }
}

async function withoutApt(major: Major, context: ProvideContext): Promise<Client> {
  const { variables, temporary } = context
  if (onPath('docker', variables))
    return clientFromImage(major === 'newest' ? NEWEST_PINNED : major, await ownFolder(temporary), temporary, context)
  throw new LifeboatError(`${majorText(major, CLIENT)} are not installed, and neither apt nor docker is here to fetch them with`, {
    hint: hintFor(major),
  })
}

/** Programs that an earlier run kept, if they run. */
async function usableKept(
  root: string,
  major: Major,
  system: System,
  context: ProvideContext,
): Promise<{ programs: Programs; since: Date } | undefined> {
  const found = findKept(root, context.set.kept, major, system.id)
  const kept = await found.catch((error: unknown) => complain(context, `cannot read ${root}`, error))
  const programs = kept && (await runnable(kept.folder, kept.major, context))
  return programs && { programs, since: kept.since }
}

/** Fetches programs and keeps them for later runs; what cannot be kept is used from a folder of this run. */
async function fetchAndKeep(
  major: Major,
  system: System,
  root: string | undefined,
  context: ProvideContext,
): Promise<Programs> {
  const folder = await ownFolder(context.temporary)
  try {
    const { programs, version, root: fetched } = await fetchPrograms(major, folder, system, context)
    const { kept: tool, noun } = context.set
    const keeping = root === undefined ? undefined : keep(root, tool, fetched, version, system.id)
    const place = await keeping?.catch((error: unknown) => complain(context, `cannot keep the ${noun} in ${root}`, error))
    const kept = place === undefined ? undefined : await runnable(place, programs.major, context)
    if (!kept) return programs
    await rm(folder, { recursive: true, force: true })
    return kept
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function runnable(folder: string, major: number, context: ProvideContext): Promise<Programs | undefined> {
  return smokeTest(path.join(folder, 'bin'), context.set, major, context).catch((error: unknown) =>
    complain(context, `${folder} is of no use, remove it`, error),
  )
}

async function ownFolder(temporary: string): Promise<string> {
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  return mkdtemp(path.join(temporary, 'client-'))
}

function hintFor(major: Major): string {
  return installHint(major === 'newest' ? undefined : major)
}

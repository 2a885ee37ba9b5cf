import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { type Connection, parseDatabaseUrl } from '../../sources/postgres/connection.ts'
import { clientPrograms } from '../../sources/postgres/client-programs.ts'
import { archiveFacts } from '../../sources/postgres/facts.ts'
import { restoreArchive, type RestoreOutcome } from '../../sources/postgres/restore.ts'
import { rolesHint } from '../../sources/postgres/restore-output.ts'
import type { RestoreOptions } from '../../sources/postgres/restore-plan.ts'
import { type Route, routeTo } from '../../sources/postgres/route.ts'
import { findSnapshot } from '../../repository/catalog.ts'
import { Reader } from '../../repository/reader.ts'
import { factsOf, type Manifest, openManifest, type SourceRecord, type StreamRecord } from '../../repository/snapshot.ts'
import { backupRemarks, requireWhole } from './before-restore.ts'
import { secondsSince } from '../elapsed.ts'
import { lookingAs, setFor, withStore } from '../with-store.ts'
import type { RestoreInputs } from './inputs.ts'
import type { RestoreResult } from './result.ts'
import { restoreOneVolume, type ToRestore } from './volume.ts'

/**
 * Verifies a snapshot, then restores one of its databases or volumes. Throws when nothing could be restored, or the restore broke off;
 * the errors of single entries are in the result, and with any of them the restore has failed.
 */
export async function restore(inputs: RestoreInputs, environment: Environment): Promise<RestoreResult> {
  const started = performance.now()
  const { variables, report } = environment
  const url = inputs.verifyOnly ? undefined : inputs.server.url
  const target = url === undefined ? undefined : parseDatabaseUrl(url, variables)
  for (const secret of target?.secrets ?? []) report.mask(secret)
  const { tunnel } = inputs.server
  const route = routeTo(target ? [target] : [], tunnel && { target: tunnel, access: inputs.access.ssh }, environment)
  try {
    return await withStore({ ...inputs, set: setFor(inputs.set, inputs.snapshot) }, environment, async (store, keys) => {
      const snapshot = await findSnapshot(store, keys, inputs.set, inputs.snapshot, lookingAs(environment))
      const manifest = await openManifest(snapshot)
      const given = { inputs, store, snapshot, manifest, started }
      return inputs.volume.name !== undefined || inputs.volume.target !== undefined ? restoreOneVolume(given, environment) : restoreOneDatabase(given, target, route, environment)
    })
  } finally {
    await route.close()
  }
}

/** Verifies what a snapshot has of one of its databases, then restores it: whatever has become of the rest. Without a target it is only read. */
async function restoreOneDatabase({ inputs, store, snapshot, manifest, started }: ToRestore, target: Connection | undefined, route: Route, environment: Environment): Promise<RestoreResult> {
  const { variables, signal, report, temporary } = environment
  const { source, archive, dumpMajor, entries } = chooseDatabase(manifest, inputs.database, snapshot.header.id)
  const about = { snapshot: snapshot.header.id, set: snapshot.header.set, time: snapshot.header.time, database: source.name, size: archive.size, ...backupRemarks(source, report) }
  const done = (rest: Omit<RestoreResult, keyof typeof about | 'seconds'>): RestoreResult => ({
    ...about, ...rest, seconds: secondsSince(started),
  })

  const context = { ...environment, clientInstall: inputs.clientInstall }
  await requireWhole(snapshot, source.name, target ? 'list' : 'read', store, context)
  if (!target) return done({ target: 'none', mode: 'verify-only', entries, restored: 0, errors: [] })

  const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
  const outcome = await restored(route, {
    name: source.name,
    archive: () => reader.stream(archive),
    size: archive.size,
    dumpMajor,
    target: await route.to(target),
    mode: databaseMode(inputs.mode),
    roles: rolesHint(about.snapshot, source.name, source.streams.some(({ name }) => name === 'globals.sql')),
    ...inputs.objects,
    temporary,
    ...(await clientPrograms(context)),
    signal,
    report,
    variables,
  })
  if (outcome.errors.length > 0) report.warning(LEFT[outcome.left](target.where), outcome.hint)
  const { hint: _, ...rest } = outcome
  return done({ target: target.where, mode: inputs.mode, ...rest })
}

/** What kept the database from being reached is told, also where pg_restore only has errors to show for it. */
async function restored(route: Route, options: RestoreOptions): Promise<RestoreOutcome> {
  let outcome: RestoreOutcome
  try {
    outcome = await restoreArchive(options)
  } catch (error) {
    throw await route.causeOf(error)
  }
  const told = new Error(outcome.errors.join('\n'))
  const meant = await route.causeOf(told)
  return meant === told ? outcome : { ...outcome, errors: [messageOf(meant), ...outcome.errors] }
}

function databaseMode(mode: RestoreInputs['mode']): 'empty' | 'create' | 'clean' {
  if (mode !== 'overwrite') return mode
  throw new LifeboatError('mode overwrite is for volumes', { hint: 'A database is restored with empty, create or clean.', status: 2 })
}

const LEFT = {
  everything: (where: string) => `${where} holds everything that was selected, but pg_restore reported errors`,
  part: (where: string) => `${where} holds a part of the backup: what pg_restore reported errors for is missing`,
  unchanged: (where: string) => `${where} is as it was before: nothing was restored`,
  dropped: (where: string) => `nothing was restored: the new database ${where} was dropped again`,
}

function chooseDatabase(manifest: Manifest, name: string | undefined, id: string): { source: SourceRecord; archive: StreamRecord; dumpMajor: number; entries: number } {
  const databases = manifest.sources.filter((source) => source.kind === 'postgres')
  const names = databases.map((source) => source.name).join(', ')
  if (name === undefined && databases.length > 1) {
    throw new LifeboatError(`snapshot ${id} has several databases: ${names}`, { hint: 'Name one of them with the input database.', status: 2 })
  }
  const source = databases.find((database) => name === undefined || database.name === name)
  const archive = source?.streams.find((stream) => stream.format === 'pg_dump-custom')
  if (!source || !archive) {
    throw new LifeboatError(`snapshot ${id} has no database ${name ?? ''}`, { hint: databases.length > 0 ? `It has ${names}.` : 'Choose another snapshot; `lifeboat list` shows them.', status: 2 })
  }
  const facts = factsOf(source, archiveFacts)
  return { source, archive, dumpMajor: Number.parseInt(facts.dumpVersion, 10), entries: facts.entries.length }
}

import { performance } from 'node:perf_hooks'
import type { Environment } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { Inputs } from '../inputs.ts'
import { parseDatabaseUrl } from '../postgres/connection.ts'
import { postgresFacts } from '../postgres/facts.ts'
import { restoreArchive, type RestoreOutcome } from '../postgres/restore.ts'
import type { RestoreOptions } from '../postgres/restore-plan.ts'
import type { Way } from '../postgres/tunnelled.ts'
import { findSnapshot } from '../repository/catalog.ts'
import { openKeys } from '../repository/keys.ts'
import { Reader } from '../repository/reader.ts'
import { openRepository } from '../repository/repository.ts'
import { type Manifest, openManifest, type SourceRecord, type StreamRecord } from '../repository/snapshot.ts'
import { openStore } from '../stores/open.ts'
import { clientPrograms } from './clients.ts'
import { secondsSince } from './elapsed.ts'
import type { RestoreResult, VerifyResult } from './results.ts'
import { restoreOneVolume } from './restore-volume.ts'
import { wayTo } from './tunnel.ts'
import { verifySnapshot } from './verify.ts'

/**
 * Verifies a snapshot, then restores one of its databases or volumes. Throws when nothing could be restored, or the restore broke off;
 * the errors of single entries are in the result, and with any of them the restore has failed.
 */
export async function restore(inputs: Inputs['restore'], environment: Environment): Promise<RestoreResult> {
  const started = performance.now()
  const { variables, signal, report, temporary } = environment
  const url = inputs['verify-only'] ? undefined : inputs['database-url']
  const target = url === undefined ? undefined : parseDatabaseUrl(url, variables)
  for (const secret of target?.secrets ?? []) report.mask(secret)
  const way = wayTo(target ? [target] : [], inputs, environment)
  const store = await openStore({ ...inputs, set: inputs.snapshot.kind === 'id' ? undefined : inputs.set }, environment)
  try {
    await openRepository(store)
    const keys = await openKeys(inputs['encryption-key'], { store, create: false })
    const snapshot = await findSnapshot(store, keys, inputs.set, inputs.snapshot)
    const manifest = await openManifest(snapshot)
    if (inputs.volume !== undefined || inputs.target !== undefined) return await restoreOneVolume({ inputs, store, snapshot, manifest, started }, environment)
    const { source, archive, dumpMajor, entries } = chooseDatabase(manifest, inputs.database, snapshot.header.id)
    const about = { snapshot: snapshot.header.id, set: snapshot.header.set, time: snapshot.header.time, database: source.name, size: archive.size }
    const done = (rest: Pick<RestoreResult, 'target' | 'mode' | 'entries' | 'restored' | 'errors'>): RestoreResult => ({
      ...about, ...rest, seconds: secondsSince(started),
    })

    const programs = await clientPrograms(inputs['client-install'], environment)
    requireVerified(await verifySnapshot(snapshot, target ? 'list' : 'read', store, programs, environment))
    if (!target) return done({ target: 'none', mode: 'verify-only', entries, restored: 0, errors: [] })

    const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
    const outcome = await restored(way, {
      name: source.name,
      archive: () => reader.stream(archive),
      size: archive.size,
      dumpMajor,
      target: await way.to(target),
      mode: databaseMode(inputs.mode),
      schemas: inputs.schemas,
      tables: inputs.tables,
      only: inputs.only,
      noOwner: inputs['no-owner'],
      noPrivileges: inputs['no-privileges'],
      jobs: inputs.jobs,
      temporary,
      ...programs,
      signal,
      report,
      variables,
    })
    if (outcome.errors.length > 0) report.warning(LEFT[outcome.left](target.where), outcome.hint)
    return done({ target: target.where, mode: inputs.mode, entries: outcome.entries, restored: outcome.restored, errors: outcome.errors })
  } finally {
    await way.close()
    await store.close()
  }
}

/** What kept the database from being reached is told, also where pg_restore only has errors to show for it. */
async function restored(way: Way, options: RestoreOptions): Promise<RestoreOutcome> {
  let outcome: RestoreOutcome
  try {
    outcome = await restoreArchive(options)
  } catch (error) {
    throw await way.explain(error)
  }
  const told = new Error(outcome.errors.join('\n'))
  const meant = await way.explain(told)
  return meant === told ? outcome : { ...outcome, errors: [messageOf(meant), ...outcome.errors] }
}

function databaseMode(mode: Inputs['restore']['mode']): 'empty' | 'create' | 'clean' {
  if (mode !== 'overwrite') return mode
  throw new LifeboatError('mode overwrite is for volumes', { hint: 'A database is restored with empty, create or clean.', status: 2 })
}

const LEFT = {
  everything: (where: string) => `${where} holds everything that was selected, but pg_restore reported errors`,
  part: (where: string) => `${where} holds a part of the backup: what pg_restore reported errors for is missing`,
  unchanged: (where: string) => `${where} is as it was before: nothing was restored`,
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
  const facts = postgresFacts.parse(source.facts)
  return { source, archive, dumpMajor: Number.parseInt(facts.dumpVersion, 10), entries: facts.entries.length }
}

export function requireVerified({ snapshot, result, problems }: VerifyResult): void {
  if (result === 'verified') return
  throw new LifeboatError(`snapshot ${snapshot} ${result === 'failed' ? 'does not verify' : 'could not be verified'}, so nothing was restored: ${problems.join('; ')}`, {
    hint: 'Restore an earlier snapshot: `lifeboat list` shows them, and the input snapshot takes an id or a time.',
    status: result === 'failed' ? 1 : 3,
  })
}

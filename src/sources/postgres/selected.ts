import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { RestoreSettings } from '../settings.ts'
import type { SelectedPart, SourceContext, StoredSource } from '../source-kind.ts'
import { readContents } from './archive.ts'
import { restoreClient } from './client-download/choose.ts'
import { clientPrograms } from './client-programs.ts'
import { checkOptions } from './restore-plan.ts'
import { RELATIONS, requireRoots, select } from './selection.ts'
import { archiveOf, readArchive } from './archive-parts/stored-archive.ts'

/** The part of an archive that a restore would select. Throws (status 2) as it would. */
export async function selectedEntries(
  stored: StoredSource, { objects, mode }: RestoreSettings, context: SourceContext,
): Promise<SelectedPart | undefined> {
  const { schemas, tables, only } = objects
  const databaseMode = requireDatabaseMode(mode)
  checkOptions({ ...objects, mode: databaseMode, only })
  const filtered = schemas.length + tables.length > 0
  if (!filtered && only === undefined) return undefined
  const archive = archiveOf(stored.source)
  const { clients, provide } = await clientPrograms(context)
  const { client } = await restoreClient(clients, archive.dumpMajor, undefined, provide)
  const filters = only === undefined ? [] : [`--${only}-only`]
  const { variables, signal } = context
  const reading = { client, variables, signal }
  const { entries, restorable, unknown } = await readContents(readArchive(stored, archive), reading, filters, () => true)
  if (unknown) throw unknown
  const chosen = (filtered ? select(entries, { schemas, tables }).entries : entries).filter(restorable.has)
  if (filtered && only !== 'data') requireRoots(chosen, entries)
  const kinds = only === 'data' ? ROWS : RELATIONS
  return { entries: chosen.length, names: chosen.filter(({ kind }) => kinds.has(kind)).map(({ schema, name }) => `${schema}.${name}`) }
}

const ROWS: ReadonlySet<string> = new Set(['TABLE DATA'])

/** Throws (status 2) for the mode of volumes. */
export function requireDatabaseMode(mode: RestoreSettings['mode']): Exclude<RestoreSettings['mode'], 'overwrite'> {
  if (mode !== 'overwrite') return mode
  throw new LifeboatError('mode overwrite is for volumes', {
    hint: marked`A database is restored with ‹mode: swap›, ‹mode: empty›, ‹mode: create› or ‹mode: clean›.`, status: 2 })
}

import { LifeboatError, messageOf } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { factsOf, type SourceRecord } from '../../../repository/snapshot.ts'
import { type ArchiveContext, readContents, sqlOf } from '../archive.ts'
import { withOptions } from '../connection.ts'
import { archiveOf, grantsInGroups } from '../archive-parts/stored-archive.ts'
import { comparison } from '../drill/comparison.ts'
import { digestsOf } from '../drill/digests.ts'
import { encodedAs, likeBackup } from '../drill/session.ts'
import { drillFacts } from '../facts.ts'
import type { QueryContext } from '../query.ts'
import type { RestoreOptions } from '../restore-plan.ts'

/**
 * Throws unless a restored database is equal to the backup, entry by entry, as in a drill: it is dumped again, and the archive is read
 * once more. The settings of the database itself are not compared: it gets some of them with its name.
 */
export async function requireEqual(
  source: SourceRecord,
  { archive, dumpMajor, target, report }: Pick<RestoreOptions, 'archive' | 'dumpMajor' | 'target' | 'report'>,
  { reading, major }: { reading: ArchiveContext; major: number },
  context: QueryContext,
): Promise<void> {
  const { arguments: again, session, server } = factsOf(source, drillFacts)
  if (reading.client.major < major) {
    throw new LifeboatError(`the server has PostgreSQL ${major}, which pg_dump ${reading.client.major} cannot dump again to compare it`, {
      hint: marked`Install the client programs of PostgreSQL ${major}, or leave out ‹drill›.` })
  }
  report.info(`${source.name}: comparing the new database with the backup`)
  const { entries } = await readContents(archive(), reading, [], () => false)
  const { taken, unlike } = await likeBackup(session, context)
  const connection = encodedAs(entries, withOptions(context.connection, taken))
  const before = await digestsOf(sqlOf(archive(), reading))
  const wording = major === server.major && reading.client.major === dumpMajor
  const problems = await comparison({
    connection, unlike, reading, archive, groups: grantsInGroups(archiveOf(source).entries), again: again ?? [], settings: undefined,
    database: context.connection.database ?? '',
  }, before, wording)
  if (problems.length === 0) return
  throw new LifeboatError(
    `the new database differs from the backup, so nothing was exchanged and ${target.where} is as it was: ` +
      problems.map(messageOf).join('; '),
    { hint: marked`Verify the snapshot with ‹level: drill›. To restore it as it is, leave out ‹drill›.` },
  )
}

/** Throws (status 2) for options and backups with which a restored database cannot be equal. */
export function requireComparable(
  source: SourceRecord, { noOwner, noPrivileges }: Pick<RestoreOptions, 'noOwner' | 'noPrivileges'>,
): void {
  const { arguments: given, omitted } = factsOf(source, drillFacts)
  if (noOwner || noPrivileges) {
    const without = noOwner ? marked`‹no-owner›` : marked`‹no-privileges›`
    throw new LifeboatError(`drill compares owners and privileges too, which ${without} leaves out`, {
      hint: marked`Leave out ‹drill›, or ‹no-owner› and ‹no-privileges›.`, status: 2 })
  }
  if (given !== undefined || omitted === undefined) return
  throw new LifeboatError(`the snapshot does not say how pg_dump was called, which left a part of ${source.name} out`, {
    hint: marked`Leave out ‹drill›, or restore a newer snapshot.`, status: 2 })
}

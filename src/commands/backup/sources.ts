import { volumesIn } from '../../inputs/chosen-volumes.ts'
import { slicesIn } from '../../inputs/group.ts'
import { backupOptions } from '../../inputs/kind-options.ts'
import { EVERY_FILE } from '../../sources/files/selection.ts'
import { groupedByKind } from '../../sources/known-kinds.ts'
import type { BackupSettings } from '../../sources/settings.ts'
import type { GivenSource, SourceContext } from '../../sources/source-kind.ts'
import type { Source } from '../../sources/source.ts'
import type { BackupInputs } from './inputs.ts'

/** The sources of a backup, the databases first, in the order in which they are given. Nothing is reached yet. */
export function sourcesOf(inputs: BackupInputs, context: SourceContext): Source[] {
  const given = [...databasesIn(inputs), ...volumesIn(inputs.volumes)]
  const sources = new Map<GivenSource, Source>()
  for (const [kind, some] of groupedByKind(given)) {
    for (const [index, source] of kind.sources(some, settingsOf(inputs), context).entries()) sources.set(some[index]!, source)
  }
  return given.map((one) => sources.get(one)!)
}

function databasesIn({ databases }: BackupInputs): GivenSource[] {
  return databases.list.map(({ name, ...location }) => ({ name, location, patterns: EVERY_FILE }))
}

function settingsOf(inputs: BackupInputs): BackupSettings {
  const { databases, access, destinations } = inputs
  return { tunnel: databases.tunnel, ssh: access.ssh, timeout: access.timeout, destinations, ...slicesIn(backupOptions, inputs) }
}

import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { clientInstall, databaseInput, requireDatabase, tunnelInput } from '../../inputs/database.ts'
import { flagInput, timeZone } from '../../inputs/display.ts'
import { commandInputs, group, one, type SlicesOf } from '../../inputs/group.ts'
import { encryptionKey, optionalKey } from '../../inputs/key.ts'
import { restoreOptions } from '../../inputs/kind-options.ts'
import { notify } from '../../inputs/notify.ts'
import { missingInput } from '../../inputs/parse.ts'
import { mapSecrets, restoreMap } from '../../inputs/restore-map.ts'
import * as schema from '../../inputs/schemas.ts'
import { set, snapshotInput } from '../../inputs/snapshot.ts'
import { access, destination, requireStore } from '../../inputs/store.ts'
import { volumeSecrets } from '../../inputs/volumes.ts'
import { locationExpected, locationPatterns } from '../../sources/known-kinds.ts'

const databaseUrl = {
  ...databaseInput,
  // The database that other commands read is not one to write to.
  own: true,
  help: `The database to restore into: ${locationPatterns('database')}. Not needed with verify-only.`,
} as const

const target = {
  help: `Where to restore a volume: ${locationPatterns('volume')}. A folder or a Docker volume is created if it is missing.`,
  expected: locationExpected('volume'),
  example: '/srv/app/uploads',
  schema: schema.volumePlace,
  secrets: volumeSecrets,
  short: 't',
} as const

export const inputs = commandInputs(
  {
    server: group(
      { 'database-url': databaseUrl, 'ssh-tunnel': { ...tunnelInput, own: true } },
      (values) => ({ database: values['database-url'], tunnel: values['ssh-tunnel'] }),
    ),
    key: optionalKey(encryptionKey.help),
    destination,
    set,
    snapshot: one('snapshot', { ...snapshotInput, short: 'i', default: 'latest' }),
    database: one('database', {
      help: 'Which database of the snapshot, by the name it was backed up under. Needed when there are several.',
      expected: 'the name of a database in the snapshot',
      example: 'app',
      schema: schema.text,
    }),
    mode: one('mode', {
      help:
        'swap: restore into a new database, check it, and exchange it for the one that is there, which is kept under another name: the ' +
        'way to replace a database. empty: only into a database without objects, or an empty folder. create: make the database. clean: ' +
        'in a database, drop and make again every object that is in the backup, in one transaction; objects that only the target has ' +
        'stay, and clients that use the tables wait: where applications are connected, use swap. A folder gets the content of the ' +
        'backup alone, after that has been extracted. overwrite: extract over the files of a volume; other files stay.',
      expected: 'swap, empty, create, clean or overwrite',
      example: 'swap',
      schema: schema.oneOf('empty', 'create', 'clean', 'overwrite', 'swap'),
      short: 'm',
      default: 'empty',
    }),
    volume: group(
      {
        volume: {
          help:
            'Which volume of the snapshot to restore in place of a database, by the name it was backed up under. Needed when ' +
            'there are several.',
          expected: 'the name of a volume in the snapshot',
          example: 'uploads',
          schema: schema.text,
        },
        target,
      },
      (values) => ({ name: values.volume, target: values.target }),
    ),
    ...restoreOptions,
    skipDamaged: group(
      {
        'skip-damaged': {
          ...flagInput,
          own: true,
          help:
            'Restore what is whole of a damaged backup, read every byte for that, and list all that is missing; the restore then fails ' +
            'all the same (exit status 1). Into an empty or new target, or over the files of a volume.',
        },
        'keep-damaged': {
          ...flagInput,
          own: true,
          help:
            'The same, and restore damaged files of a volume as well, with zeros in place of the lost bytes: the list says which. Sparse ' +
            'files, and those whose names or properties are damaged, are left out all the same.',
        },
      },
      (values) => (values['skip-damaged'] || values['keep-damaged'] ? { keep: values['keep-damaged'] } : undefined),
    ),
    afterSwap: group(
      {
        undo: {
          ...flagInput,
          once: true,
          help:
            'Take the last restore with mode swap back: the database of database-url is exchanged for the one that was put aside last. ' +
            'Nothing is read from the store: database, snapshot and mode are not used.',
        },
        'forget-old': {
          ...flagInput,
          once: true,
          help: 'Drop the databases that restores with mode swap have put aside for database-url, as far as the time of keep-old is over.',
        },
        'old-database': {
          once: true,
          help:
            'With undo and forget-old: the one database that is meant, by the name under which it is kept. Default: with undo the one ' +
            'that was put aside last, with forget-old all of them.',
          expected: 'the name of a database that a restore with mode swap has put aside',
          example: 'app_before_20261122_073244',
          schema: schema.text,
        },
      },
      ({ undo, 'forget-old': forgetOld, 'old-database': old }) => {
        if (undo && forgetOld)
          throw new LifeboatError('undo and forget-old: one is done at a time', { hint: 'Leave one of them out.', status: 2 })
        if (undo || forgetOld) return { what: undo ? 'undo' : 'forget-old', old } as const
        if (old === undefined) return undefined
        throw new LifeboatError('old-database is for undo and forget-old', {
          hint: marked`Give ‹undo: true› or ‹forget-old: true›, or leave it out.`, status: 2 })
      },
    ),
    all: group(
      {
        all: {
          ...flagInput,
          help:
            'Restore every database and volume of the snapshot, after all of it was verified: databases at the same time, volumes beside ' +
            'them. Databases go to the server that database-url names without a database, under their own names; a volume goes where ' +
            'map says. With mode create and swap, volumes go into empty folders.',
        },
        map: {
          help:
            'With all: where a database or volume of the snapshot is restored, one per line, as name=TARGET. TARGET is a database: ' +
            `${locationPatterns('database')}; or ${locationPatterns('volume')}.`,
          expected: 'one name=TARGET per line, with the name of a source in the snapshot',
          example: 'uploads=/srv/app/uploads',
          schema: restoreMap,
          pairs: '=',
          secrets: mapSecrets,
          default: '',
          list: true,
        },
      },
      (values) => ({ wanted: values.all, map: values.map }),
    ),
    hooks: group(
      {
        'pre-command': {
          code: true,
          own: true,
          help: 'A shell command that runs when the backup is verified, before anything is changed. If it fails, nothing is restored.',
          expected: 'a command for sh',
          example: 'app maintenance on',
          schema: schema.text,
          default: '',
        },
        'post-command': {
          code: true,
          own: true,
          help: 'A shell command that runs after the restore, also if it fails, is cancelled or killed.',
          expected: 'a command for sh',
          example: 'app maintenance off',
          schema: schema.text,
          default: '',
        },
      },
      (values) => ({ containers: [], mode: 'stop' as const, before: values['pre-command'], after: values['post-command'] }),
    ),
    confirm: one('confirm', {
      once: true,
      help:
        'The targets whose data is replaced, as a confirmation: the name of the database with mode swap or clean, undo and forget-old; ' +
        'the target of a volume, of a bucket without parameters, with mode clean or overwrite; with all, each of them. At a terminal ' +
        'the program asks.',
      expected: 'the name of a database, or the target of a volume; several one per line',
      example: 'app',
      schema: schema.lines,
      list: true,
    }),
    safetyBackup: one('safety-backup', {
      ...flagInput,
      once: true,
      help:
        'Before data of the target is replaced and not kept (mode clean and overwrite, and swap with keep-old: 0d), back it up into the ' +
        'same store: a snapshot of the set NAME.safety, with the tag safety, which is kept for 7 days, or for keep-old if that is ' +
        'longer. If that fails, nothing is restored.',
      example: 'false',
      default: 'true',
    }),
    dryRun: one('dry-run', {
      once: true,
      short: 'n',
      ...flagInput,
      help:
        'Make every check of the restore, print what it would do, in order, with sizes, room and the time that the last drill or restore ' +
        'took, and change nothing.',
    }),
    verifyOnly: one('verify-only', {
      ...flagInput, once: true,
      help: 'Read and check the source, tell what tables, schemas, only or paths select of it, and change nothing.',
    }),
    clientInstall,
    access: access(),
    notify,
    timeZone,
  },
  (slices, variables) => {
    const { server, volume, verifyOnly, skipDamaged, afterSwap, all, dryRun } = slices
    if (afterSwap !== undefined) return requireAfterSwap(afterSwap.what, slices)
    if (slices.key === undefined) throw missingInput('encryption-key', encryptionKey, variables)
    if (slices.swap.drill && slices.mode !== 'swap') {
      throw new LifeboatError(`drill compares a database before it is exchanged, and mode is ${slices.mode}`, {
        hint: marked`Set ‹mode: swap›. ‹lifeboat verify; level: drill› drills a snapshot without a target.`, status: 2,
      })
    }
    if (verifyOnly && skipDamaged) {
      throw new LifeboatError('skip-damaged restores what is whole, and with verify-only nothing is restored', {
        hint: marked`Leave one of them out. ‹dry-run: true› lists what a restore would leave out.`, status: 2,
      })
    }
    if (dryRun && verifyOnly)
      throw new LifeboatError('dry-run is not for verify-only, which changes nothing either', {
        hint: marked`Leave one of them out.`, status: 2 })
    if (all.wanted) return requireAll(slices, variables)
    if (all.map.length > 0)
      throw new LifeboatError('map is for all sources of a snapshot', { hint: marked`Set ‹all: true›, or give ‹target›.`, status: 2 })
    if (volume.name !== undefined && slices.database !== undefined)
      throw new LifeboatError('volume and database: one source of the snapshot is restored at a time', {
        hint: marked`Leave one of them out, or restore every source with ‹all: true›.`, status: 2 })
    requireSelectionFor(slices)
    if (volume.target === undefined && (server.database === undefined || volume.name !== undefined) && !verifyOnly) {
      throw volume.name === undefined ? missingInput(DATABASE_OR_TARGET, databaseOrTarget, variables) : missingInput('target', target)
    }
    requireDatabase(server.tunnel, server.database !== undefined && !verifyOnly && volume.name === undefined && volume.target === undefined)
    requireStore(slices, variables)
  },
)

/** A set may have no database at all. */
const DATABASE_OR_TARGET = 'database-url, or target for a volume,'
const databaseOrTarget = { ...databaseUrl, expected: `${databaseUrl.expected}; or for a volume its folder, as target` }

/**
 * Throws (status 2) unless a database is named, and nothing that would be ignored and is not sent with every run of a workflow: its
 * steps have the database, the snapshot and the mode of restores, and `confirm` names the target.
 */
function requireAfterSwap(input: 'undo' | 'forget-old', slices: Omit<RestoreInputs, 'afterSwap'>): void {
  const { server, volume, all, hooks, verifyOnly, skipDamaged } = slices
  if (server.database === undefined) throw missingInput('database-url', databaseUrl)
  const given = [
    ...(verifyOnly ? ['verify-only'] : []),
    ...(all.wanted ? ['all'] : []),
    ...(all.map.length > 0 ? ['map'] : []),
    ...(volume.target === undefined ? [] : ['target']),
    ...(hooks.before === '' ? [] : ['pre-command']),
    ...(hooks.after === '' ? [] : ['post-command']),
    ...(skipDamaged ? ['skip-damaged'] : []),
    ...selectionIn({ ...slices, database: undefined }),
  ]
  if (given.length === 0) return
  throw new LifeboatError(`${given.join(', ')}: ${input} is for a database that was restored with mode swap, and restores nothing`, {
    hint: marked`Leave it out. ‹dry-run: true› shows what would be done.`, status: 2,
  })
}

/** The inputs that are given and select a part of a database. */
export const partsIn = (objects: RestoreInputs['objects']): string[] =>
  (['schemas', 'tables', 'only'] as const).filter((name) => (objects[name] ?? '').length > 0)

/** The inputs that are given and select one source, or a part of one. */
function selectionIn({ database, volume, objects, files }: Pick<RestoreInputs, 'database' | 'volume' | 'objects' | 'files'>): string[] {
  return [
    ...(database === undefined ? [] : ['database']),
    ...(volume.name === undefined ? [] : ['volume']),
    ...partsIn(objects),
    ...(files.paths.length > 0 ? ['paths'] : []),
  ]
}

/** Throws (status 2) for what selects one source, or a part of one. */
function requireAll(slices: RestoreInputs, variables: Variables): void {
  const { server } = slices
  const given = selectionIn(slices)
  if (given.length > 0) {
    throw new LifeboatError(`${given.join(', ')}: with all, every source of the snapshot is restored whole`, {
      hint: marked`Leave it out, or restore one source without ‹all›.`, status: 2,
    })
  }
  requireDatabase(server.tunnel, server.database !== undefined || slices.all.map.some(({ noun }) => noun === 'database'))
  requireStore(slices, variables)
}

/** Throws (status 2) for a selection that does not apply to what is restored: everything would be restored instead. */
function requireSelectionFor(
  { server, volume, objects, files, verifyOnly }: Pick<RestoreInputs, 'server' | 'volume' | 'objects' | 'files' | 'verifyOnly'>,
): void {
  const isVolume = volume.name !== undefined || volume.target !== undefined
  const given = isVolume
    ? partsIn(objects)
    : (server.database !== undefined || verifyOnly) && files.paths.length > 0 ? ['paths'] : []
  if (given.length === 0) return
  const [other, instead] = isVolume ? ['volume', marked`‹paths›`] : ['database', marked`‹schemas› or ‹tables›`]
  throw new LifeboatError(`${given.join(', ')}: a ${other} is restored, which has no such part`, {
    hint: `Leave out ${given.map((name) => marked`‹${name}›`).join(', ')}; ${instead} select a part of a ${other}.`,
    status: 2,
  })
}

export type RestoreInputs = SlicesOf<typeof inputs>

import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import type { BucketSettings } from '../sources/buckets/settings.ts'
import type { FileBackupSettings, FileRestoreSettings } from '../sources/files/settings.ts'
import { type Assertion, assertionsIn, type DumpSettings, type ObjectSettings, type SwapSettings } from '../sources/postgres/settings.ts'
import { HELPER_IMAGE } from '../sources/volumes/docker.ts'
import type { DockerSettings, FolderSettings, RestoredFilesSettings } from '../sources/volumes/settings.ts'
import { flagInput, jobs } from './display.ts'
import { type Group, group, type SlicesOf } from './group.ts'
import { scratch } from './scratch.ts'
import * as schema from './schemas.ts'

export const dump: Group<DumpSettings> = group(
  {
    'pg-dump-args': {
      code: true,
      help:
        'More arguments for pg_dump. Arguments that would change the format or the place of its output are refused; arguments ' +
        `that leave something out mark the snapshot as partial. A name with capitals needs double quotes in single ones: -T '"Audit Log"'.`,
      expected: 'arguments as on a command line',
      example: '--exclude-table-data=public.sessions',
      schema: schema.text,
      default: '',
    },
    'dump-jobs': {
      help:
        'How many pg_dump may read a database at the same time, all from one snapshot: the largest tables, and large objects, are ' +
        'distributed over as many streams. Each takes a connection, and three more must be free. auto: 1 for ' +
        'databases with less than 256 MiB of rows, else one for each processor, at least 2 and at most 8, and half of the free ' +
        'connections are left to others.',
      expected: 'auto, or a whole number from 1 to 8',
      example: '4',
      schema: schema.wordOrNumber(['auto'], 1, 8),
      default: 'auto',
    },
    'lock-timeout': {
      help: 'How long pg_dump waits for a table that someone else has locked before the backup fails.',
      expected: 'a number and a unit (s, m or h), from 1s to 24h',
      example: '5m',
      schema: schema.duration,
      default: '5m',
    },
    'allow-pooler': {
      ...flagInput,
      help:
        'Back up through a pooler in transaction mode. Only for a pooler that resets its sessions after each transaction: ' +
        'otherwise the settings of pg_dump stay in sessions of applications, and break them.',
    },
  },
  ({ 'dump-jobs': jobs, ...values }) => ({
    arguments: values['pg-dump-args'], jobs: jobs === 'auto' ? undefined : jobs, lockTimeout: values['lock-timeout'],
    allowPooler: values['allow-pooler'],
  }),
)

/** The part of a database that is restored, and how. */
export const objects: Group<ObjectSettings> = group(
  {
    schemas: {
      help:
        'Restore only these schemas with everything in them and what that depends on, separated by commas or line ends, or ' +
        'as a JSON array.',
      expected: 'names of schemas, separated by commas or line ends, or a JSON array of them',
      example: 'public, billing',
      schema: schema.names,
      default: '',
      list: true,
    },
    tables: {
      help:
        'Restore only these tables with everything that belongs to them and what they depend on: names, with or without a ' +
        'schema, separated by commas or line ends, or as a JSON array, which a name with a comma needs: ["a, b", ["schema", "c, d"]]. ' +
        'Foreign keys to other tables are left out and listed.',
      expected: 'names of tables, separated by commas or line ends, or a JSON array of names and of pairs of schema and name',
      example: 'users, billing.orders',
      schema: schema.tableNames,
      default: '',
      list: true,
    },
    only: {
      help: 'Restore only the definitions (schema) or only the rows (data).',
      expected: 'schema or data',
      example: 'schema',
      schema: schema.oneOf('schema', 'data'),
    },
    globals: {
      own: true,
      help:
        'Roles of the backup that the server of the target lacks are created first, with their passwords, settings and memberships ' +
        '(roles); also tablespaces (all). Those that the server has are not changed. Default: roles with all: true, else none.',
      expected: 'none, roles or all',
      example: 'roles',
      schema: schema.oneOf('none', 'roles', 'all'),
    },
    'no-owner': {
      ...flagInput,
      own: true,
      help:
        'Leave out owners: everything belongs to the user who restores. Policies, default privileges, user mappings and settings of ' +
        'roles that the server lacks are left out, too, and listed.',
    },
    'no-privileges': { ...flagInput, own: true, help: 'Leave out GRANT and REVOKE.' },
    'no-tablespaces': { ...flagInput, help: 'Put everything into the default tablespace.' },
    'allow-older': {
      ...flagInput,
      own: true,
      help:
        'Restore into an older major version of PostgreSQL also if the backup has definitions that it does not know: these fail. ' +
        'Otherwise the restore is refused with their names, and nothing is changed.',
    },
    'disable-triggers': {
      ...flagInput,
      own: true,
      help:
        'With only: data, load the rows without firing triggers and checking foreign keys; check constraints apply. ' +
        'Needs a superuser.',
    },
    'drop-others': {
      ...flagInput,
      once: true,
      help:
        'With mode clean of a whole database: also remove everything that the backup does not have, in the same transaction: tables with ' +
        'their rows, schemas, functions, extensions, large objects, publications. The dry run names it.',
    },
    'database-settings': {
      help:
        'Whether the settings of the database itself (owner, privileges, comment, ALTER DATABASE … SET) are applied. ' +
        'Default: true with mode create if everything is restored, else false.',
      expected: 'true or false',
      example: 'true',
      schema: schema.flag,
      flag: true,
    },
    jobs: {
      ...jobs, own: true,
      help: 'How many connections pg_restore uses. With more than 1, the rows of several tables are restored at the same time.',
      default: '1',
    },
  },
  ({ schemas, tables, only, jobs, ...values }) => ({
    schemas,
    tables,
    only,
    globals: values.globals,
    noOwner: values['no-owner'],
    noPrivileges: values['no-privileges'],
    noTablespaces: values['no-tablespaces'],
    allowOlder: values['allow-older'],
    disableTriggers: values['disable-triggers'],
    dropOthers: values['drop-others'],
    databaseSettings: values['database-settings'],
    jobs,
  }),
)

/** Of a restore that exchanges databases, or replaces tables. */
export const swap: Group<SwapSettings> = group(
  {
    'keep-settings': {
      help:
        'With mode swap, whose settings the new database gets: owner, privileges, comment, locale, tablespace and ALTER DATABASE … SET ' +
        'as the backup has them (archive), or as the database that is there now (target).',
      expected: 'archive or target',
      example: 'target',
      schema: schema.oneOf('archive', 'target'),
      default: 'archive',
    },
    drill: {
      ...flagInput,
      own: true,
      help:
        'With mode swap: compare the new database with the backup before the exchange, entry by entry, as a drill does. A difference ' +
        'stops the restore, and nothing is changed. The backup is read twice for that.',
    },
    'lock-timeout': {
      own: true,
      help:
        'With mode swap and undo: how long to wait until nobody else is connected to the target; with mode clean, until nobody uses the ' +
        'tables that are replaced. Then the restore fails, with the names and queries of those who do, and nothing is changed.',
      expected: 'a number and a unit (s, m or h), from 1s to 24h',
      example: '5m',
      schema: schema.duration,
      default: '1m',
    },
    'terminate-connections': {
      ...flagInput,
      own: true,
      help: 'With mode swap and undo: end the sessions of others in the moment of the exchange in place of waiting for them.',
    },
    'keep-old': {
      own: true,
      help:
        'With mode swap and undo: how long the database from before is kept at least; forget-old drops it after that. With forget-old: ' +
        'how long ago it was put aside at least, in place of the time given then. Safety backups are kept for this time too, but never ' +
        'less than 7 days. Default: 7d.',
      expected: 'a number and a unit (h, d, w or y), from 0d to 10y',
      example: '2d',
      schema: schema.keepTime,
    },
  },
  (values) => ({
    keepSettings: values['keep-settings'],
    drill: values.drill,
    lockTimeout: values['lock-timeout'],
    terminate: values['terminate-connections'],
    keepOld: values['keep-old'],
  }),
)

/** Of a backup of volumes, whichever their kind. */
const fileBackup: Group<FileBackupSettings> = group(
  {
    'on-unreadable': {
      help: 'The reaction to files of a volume that cannot be read: fail, or warn and leave them out.',
      expected: 'fail or warn',
      example: 'warn',
      schema: schema.oneOf('fail', 'warn'),
      default: 'fail',
    },
    rescan: { ...flagInput, help: 'Read every file of the volumes, also those that look unchanged since the backup before.' },
  },
  (values) => ({ onUnreadable: values['on-unreadable'], rescan: values.rescan }),
)

/** Of a restore of a volume, whichever its kind. */
const fileRestore: Group<FileRestoreSettings> = group(
  {
    paths: {
      help: 'Restore only these files or objects of the volume: patterns of gitignore syntax, one per line. Not with mode ' +
        'clean, which would remove all others.',
      expected: 'patterns as in .gitignore, one per line',
      example: '/2026/*.jpg',
      schema: schema.lines,
      default: '',
      list: true,
    },
  },
  (values) => values,
)

export const folders: Group<FolderSettings> = group(
  {
    owners: {
      help:
        'The owners of the restored files of a volume: number, the users with the same numbers; name, the users with the ' +
        'same names; none, the user who restores. The first two need root.',
      expected: 'number, name or none',
      example: 'none',
      schema: schema.oneOf('number', 'name', 'none'),
      default: 'number',
    },
  },
  (values) => values,
)

/** Of a drill: what must hold in a restored volume. */
export const restored: Group<RestoredFilesSettings> = group(
  {
    'assert-command': {
      code: true,
      help:
        'For a drill: a command for sh that must succeed in the folder of each restored volume. Its environment has PATH, ' +
        'LC_ALL=C.UTF-8 and the name of the volume in LIFEBOAT_SOURCE, and nothing else of the job.',
      expected: 'a command',
      example: 'test -s index.html',
      schema: schema.text,
    },
  },
  (values) => ({ command: values['assert-command'] }),
)

export const docker: Group<DockerSettings> = group(
  {
    'docker-image': {
      code: true,
      help: 'The image of the helper container that reads and writes Docker volumes. It must have sh, GNU tar, ' +
        'GNU find and the GNU coreutils. The default is pinned by its digest.',
      expected: 'the name of an image',
      example: 'registry.example.com/debian:bookworm-slim',
      schema: schema.image,
      default: HELPER_IMAGE,
    },
  },
  (values) => ({ image: values['docker-image'] }),
)

export const bucket: Group<BucketSettings> = group(
  {
    rewrite: { ...flagInput, help: 'Put every object of a bucket back, also those that the target has with the same size and ETag.' },
    'delete-extra': {
      ...flagInput,
      once: true,
      help:
        'Delete the objects of the target bucket that are not in the backup, of those that the volume and paths cover. With ' +
        'mode overwrite.',
    },
  },
  (values) => ({ rewrite: values.rewrite, deleteExtra: values['delete-extra'] }),
)

/** The options of kinds of sources: a group for each, in the commands that have it. The kinds get all of them (sources/settings.ts). */
export const backupOptions = { files: fileBackup, docker, dump }
export const restoreOptions = { files: fileRestore, folders, docker, bucket, objects, swap }
export const drillOptions = { scratch, restored }

type Drill = SlicesOf<{ groups: typeof drillOptions }>

/** An input of conditions, the kind of sources that it is about, and those that it names. */
interface Conditions {
  input: string
  about: 'database' | 'volume'
  names?: () => readonly string[]
}

const named = (all: readonly Assertion[]): string[] => [...new Set(all.flatMap(({ database }) => database ?? []))]

/** The inputs of the conditions that are given. */
export function conditionsOf({ scratch, restored }: Drill): Conditions[] {
  const { assertions, assertionsFile: file } = scratch
  return [
    ...(assertions.length > 0 ? [{ input: 'assert-sql', about: 'database', names: () => named(assertions) } as const] : []),
    ...(file === undefined ? [] : [{ input: 'assert-sql-file', about: 'database', names: () => named(assertionsIn(file)) } as const]),
    ...(restored.command === undefined ? [] : [{ input: 'assert-command', about: 'volume' } as const]),
  ]
}

/** Throws (status 2) for options of a drill that it cannot use, or at another level. `input`: the one that sets the level. */
export function requireDrill(input: 'level' | 'verify', level: string, drill: Drill): void {
  const { server, image, assertionsFile } = drill.scratch
  if (level !== 'drill') requireNone(input, level, drill)
  else if (server !== undefined && image !== undefined) {
    throw new LifeboatError('scratch-url and scratch-image are both given, and a drill needs one server', {
      hint: marked`Leave out ‹scratch-url› or ‹scratch-image›.`, status: 2,
    })
  } else if (assertionsFile !== undefined) assertionsIn(assertionsFile)
}

function requireNone(input: 'level' | 'verify', level: string, drill: Drill): void {
  const instead = input === 'level' ? marked`Set ‹level: drill›` : marked`Set ‹drill: true›`
  const conditions = conditionsOf(drill).map(({ input: name }) => name)
  if (conditions.length > 0) {
    throw new LifeboatError(`${conditions.join(' and ')}: conditions are asked only in a drill, and ${input} is ${level}`, {
      hint: `${instead}, or leave the conditions out.`, status: 2,
    })
  }
  const { server, image } = drill.scratch
  const servers = [...(server === undefined ? [] : ['scratch-url']), ...(image === undefined ? [] : ['scratch-image'])]
  if (servers.length === 0) return
  throw new LifeboatError(`${servers.join(' and ')}: only a drill needs a scratch server, and ${input} is ${level}`, {
    hint: `${instead}, or leave it out.`, status: 2,
  })
}

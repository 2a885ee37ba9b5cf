import { clientInstall, databaseInput, requireDatabase, tunnelInput } from '../../inputs/database.ts'
import { flag, jobs, timeZone } from '../../inputs/display.ts'
import { dockerImageInput } from '../../inputs/docker.ts'
import { commandInputs, group, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { missingInput } from '../../inputs/parse.ts'
import * as schema from '../../inputs/schemas.ts'
import { set, snapshotInput } from '../../inputs/snapshot.ts'
import { access, destination, requireStore } from '../../inputs/store.ts'
import { volumeSecrets } from '../../inputs/volumes.ts'
import { locationExpected, locationPatterns } from '../../sources/known-kinds.ts'

const databaseUrl = {
  ...databaseInput,
  help: `The database to restore into: ${locationPatterns('database')}. Not needed with verify-only.`,
} as const

const target = {
  help: `Where to restore a volume: ${locationPatterns('volume')}. A folder or a Docker volume is created if it is missing.`,
  expected: locationExpected('volume'),
  example: '/srv/app/uploads',
  schema: schema.volumePlace,
  secrets: volumeSecrets,
} as const

export const inputs = commandInputs(
  {
    server: group(
      { 'database-url': databaseUrl, 'ssh-tunnel': tunnelInput },
      (values) => ({ database: values['database-url'], tunnel: values['ssh-tunnel'] }),
    ),
    key: requiredKey(),
    destination,
    set,
    snapshot: one('snapshot', { ...snapshotInput, default: 'latest' }),
    database: one('database', {
      help: 'Which database of the snapshot, by the name it was backed up under. Needed when there are several.',
      expected: 'the name of a database in the snapshot',
      example: 'app',
      schema: schema.text,
    }),
    mode: one('mode', {
      help:
        'empty: only into a database without objects, or an empty folder. create: make the database. clean: replace what is ' +
        'there, a database in one transaction, a volume after the new content has been extracted. overwrite: extract over the ' +
        'files of a volume; other files stay.',
      expected: 'empty, create, clean or overwrite',
      example: 'create',
      schema: schema.oneOf('empty', 'create', 'clean', 'overwrite'),
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
        paths: {
          help: 'Restore only these files or objects of the volume: patterns of gitignore syntax, one per line.',
          expected: 'patterns as in .gitignore, one per line',
          example: '/2026/*.jpg',
          schema: schema.lines,
          default: '',
          list: true,
        },
        'docker-image': dockerImageInput,
        rewrite: { ...flag, help: 'Put every object of a bucket back, also those that the target has with the same size and ETag.' },
        'delete-extra': {
          ...flag,
          help:
            'Delete the objects of the target bucket that are not in the backup, of those that the volume and paths cover. With ' +
            'mode overwrite.',
        },
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
      ({
        volume,
        'docker-image': dockerImage,
        'delete-extra': deleteExtra,
        ...rest
      }) => ({ name: volume, dockerImage, deleteExtra, ...rest }),
    ),
    objects: group(
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
            'schema, separated by commas or line ends, or as a JSON array. Foreign keys to other tables are left out and listed.',
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
        'no-owner': { ...flag, help: 'Leave out owners: everything belongs to the user who restores.' },
        'no-privileges': { ...flag, help: 'Leave out GRANT and REVOKE.' },
        'no-tablespaces': { ...flag, help: 'Put everything into the default tablespace.' },
        'disable-triggers': {
          ...flag,
          help:
            'With only: data, load the rows without firing triggers and checking foreign keys; check constraints apply. ' +
            'Needs a superuser.',
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
        jobs: { ...jobs, help: 'How many connections pg_restore uses. More than 1 stages the archive in a temporary file.', default: '1' },
      },
      ({ schemas, tables, only, jobs, ...values }) => ({
        schemas,
        tables,
        only,
        noOwner: values['no-owner'],
        noPrivileges: values['no-privileges'],
        noTablespaces: values['no-tablespaces'],
        disableTriggers: values['disable-triggers'],
        databaseSettings: values['database-settings'],
        jobs,
      }),
    ),
    verifyOnly: one('verify-only', { ...flag, help: 'Read and check what would be restored, and touch no database.' }),
    clientInstall,
    access: access(),
    timeZone,
  },
  (slices, variables) => {
    const { server, volume, verifyOnly } = slices
    if (volume.target === undefined && (server.database === undefined || volume.name !== undefined) && !verifyOnly) {
      throw volume.name === undefined ? missingInput('database-url', databaseUrl) : missingInput('target', target)
    }
    requireDatabase(server.tunnel, server.database !== undefined && !verifyOnly && volume.name === undefined && volume.target === undefined)
    requireStore(slices, variables)
  },
)

export type RestoreInputs = SlicesOf<typeof inputs>

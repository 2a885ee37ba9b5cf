import type { DumpSettings, ObjectSettings, ScratchSettings } from '../sources/postgres/settings.ts'
import { database, databaseSecrets } from './database-urls.ts'
import { flagInput, jobs } from './display.ts'
import { type Group, group } from './group.ts'
import * as schema from './schemas.ts'

export const dump: Group<DumpSettings> = group(
  {
    'pg-dump-args': {
      help:
        'More arguments for pg_dump. Arguments that would change the format or the place of its output are refused; arguments ' +
        'that leave something out mark the snapshot as partial.',
      expected: 'arguments as on a command line',
      example: '--exclude-table-data=public.sessions',
      schema: schema.text,
      default: '',
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
  (values) => ({ arguments: values['pg-dump-args'], lockTimeout: values['lock-timeout'], allowPooler: values['allow-pooler'] }),
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
    'no-owner': { ...flagInput, help: 'Leave out owners: everything belongs to the user who restores.' },
    'no-privileges': { ...flagInput, help: 'Leave out GRANT and REVOKE.' },
    'no-tablespaces': { ...flagInput, help: 'Put everything into the default tablespace.' },
    'disable-triggers': {
      ...flagInput,
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
)

/** Of a drill: the server to restore databases into, and what must be true there. */
export const scratch: Group<ScratchSettings> = group(
  {
    'scratch-url': {
      help:
        'With level drill: a PostgreSQL server without data to restore into, as its superuser, such as a service container of the job. ' +
        'Default: a server is started for the drill and removed afterwards, from the server programs of the major version that was ' +
        'backed up: installed, fetched into a private folder, or in the official image, if docker is here.',
      expected: 'a PostgreSQL URL',
      example: 'postgres://postgres:secret@localhost:5432/postgres',
      schema: database,
      secret: true,
      secrets: databaseSecrets,
    },
    'scratch-image': {
      help:
        'With level drill: an image with a PostgreSQL server, which is run with docker for the drill and removed afterwards. For ' +
        'databases with extensions that a server does not come with.',
      expected: 'the name of an image',
      example: 'postgis/postgis:17-3.5',
      schema: schema.image,
    },
    'assert-sql': {
      help:
        'With level drill: conditions that must be true in the restored databases, one per line: a name, a colon, and a query that gives ' +
        'true. Each is asked in every database of the snapshot.',
      expected: 'lines of a name, a colon and a query',
      example: "orders of today exist: SELECT count(*) > 0 FROM orders WHERE made > now() - interval '26 hours'",
      schema: schema.assertions,
      default: '',
      list: true,
    },
  },
  (values) => ({ server: values['scratch-url'], image: values['scratch-image'], assertions: values['assert-sql'] }),
)

import type { ScratchSettings } from '../sources/postgres/settings.ts'
import { database, databaseSecrets } from './database-urls.ts'
import { type Group, group } from './group.ts'
import * as schema from './schemas.ts'

/** Of a drill: the server to restore databases into, and what must be true there. */
export const scratch: Group<ScratchSettings> = group(
  {
    'scratch-url': {
      help:
        'For a drill: a PostgreSQL server without data to restore into, as its superuser, such as a service container of the job. ' +
        'Default: a server is started for the drill and removed afterwards, from the server programs of the major version that was ' +
        'backed up: installed, fetched into a private folder, or in the official image, if docker is here.',
      expected: 'a PostgreSQL URL',
      example: 'postgres://postgres:secret@localhost:5432/postgres',
      schema: database,
      secret: true,
      secrets: databaseSecrets,
    },
    'scratch-image': {
      code: true,
      help:
        'For a drill: an image with a PostgreSQL server, which is run with docker for the drill and removed afterwards. For ' +
        'databases with extensions that a server does not come with.',
      expected: 'the name of an image',
      example: 'postgis/postgis:17-3.5',
      schema: schema.image,
    },
    'assert-sql': {
      code: true,
      help:
        'For a drill: conditions that must be true in the restored databases, one per line: a name, a colon, and a query that gives ' +
        'true. Each is asked in every database of the snapshot, or, if its name ends with @DATABASE, in that one, for five minutes ' +
        'at most.',
      expected: 'lines of a name, a colon and a query',
      example: "orders of today exist: SELECT count(*) > 0 FROM orders WHERE made > now() - interval '26 hours'",
      schema: schema.assertions,
      pairs: ': ',
      default: '',
      list: true,
    },
    'assert-sql-file': {
      code: true,
      help: 'For a drill: a file with more lines as in assert-sql. Lines that begin with -- are comments.',
      expected: 'the path of a file',
      example: '.github/drill.sql',
      schema: schema.text,
    },
  },
  (values) => ({
    server: values['scratch-url'], image: values['scratch-image'],
    assertions: values['assert-sql'], assertionsFile: values['assert-sql-file'],
  }),
)

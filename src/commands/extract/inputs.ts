import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { oneSnapshot } from '../../inputs/one-snapshot.ts'
import { requiredKey } from '../../inputs/key.ts'
import * as schema from '../../inputs/schemas.ts'
import { chosenInput } from '../../inputs/snapshot.ts'
import { requireStore } from '../../inputs/store.ts'

export const inputs = commandInputs(
  {
    snapshot: one('snapshot', chosenInput),
    source: one('source', {
      help: 'The name of a database or volume in the snapshot.',
      expected: 'the name of a source in the snapshot',
      example: 'app',
      schema: schema.text,
      required: true,
      positional: true,
    }),
    path: one('path', {
      help:
        'Of a volume, one of its files, relative to it; of a database, another stream than its archive, as globals.sql. ' +
        'Default: the whole source, a database as a pg_dump archive (custom format), a volume as a tar.',
      expected: 'the path of a file in the volume, or the name of a stream',
      example: '2026/11/invoice-4711.pdf',
      schema: schema.text,
      positional: true,
    }),
    table: one('table', {
      help:
        'Of a database, the rows of one table alone. Of the data, only they are read, or, in a snapshot of an older version, everything ' +
        'before them as well.',
      expected: 'the name of a table with its schema, as show lists it, or a JSON array of one pair of schema and name',
      example: 'public.orders',
      schema: schema.tableName,
    }),
    tableFormat: one('format', {
      help: 'With table: csv, as COPY writes it, with a header; or sql for psql, which fills a table that is there.',
      expected: 'csv or sql',
      example: 'sql',
      schema: schema.oneOf('csv', 'sql'),
      default: 'csv',
    }),
    intoSchema: one('into-schema', {
      help:
        'With table and format sql: the SQL makes the table in this schema, and the schema if there is none, beside those that are ' +
        'there: columns, defaults and checks, no indexes, keys or triggers.',
      expected: 'the name of a schema',
      example: 'last_tuesday',
      schema: schema.text,
    }),
    output: one('output', {
      help: 'The file to write, which must not exist; or - for standard output.',
      short: 'o',
      expected: 'a path, or -',
      example: 'app.dump',
      schema: schema.text,
      default: '-',
      dash: true,
    }),
    ...oneSnapshot,
    key: requiredKey(),
  },
  (slices, variables) => {
    const { table, path, intoSchema, tableFormat } = slices
    if (table !== undefined && path !== undefined)
      throw new LifeboatError('a path and a table: one of them is extracted', { hint: marked`Give ‹table› alone.`, status: 2 })
    if (intoSchema !== undefined && (table === undefined || tableFormat !== 'sql')) {
      throw new LifeboatError('into-schema is for the rows of a table as SQL', {
        hint: marked`Give ‹table› and ‹format: sql› too, or leave it out.`, status: 2,
      })
    }
    requireStore(slices, variables)
  },
)

export type ExtractInputs = SlicesOf<typeof inputs>

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
    output: one('output', {
      help: 'The file to write, which must not exist; or - for standard output.',
      expected: 'a path, or -',
      example: 'app.dump',
      schema: schema.text,
      default: '-',
      dash: true,
    }),
    ...oneSnapshot,
    key: requiredKey(),
  },
  requireStore,
)

export type ExtractInputs = SlicesOf<typeof inputs>

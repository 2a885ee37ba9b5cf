import { retentionTimeZone } from '../../inputs/display.ts'
import { commandInputs, group, one, type SlicesOf } from '../../inputs/group.ts'
import { optionalKey } from '../../inputs/key.ts'
import { retentionInput } from '../../inputs/pruning.ts'
import { report } from '../../inputs/report.ts'
import * as schema from '../../inputs/schemas.ts'
import { setInput } from '../../inputs/snapshot.ts'
import { access, destination, requireStore } from '../../inputs/store.ts'
import { textColumns } from './report.ts'

const moment = {
  expected: 'a date, a time with its offset from UTC (2026-11-20T02:00:00Z), or a number and a unit (m, h, d, w or y)',
  example: '30d',
} as const

export const inputs = commandInputs(
  {
    destination,
    set: one('set', { ...setInput, help: 'List only this set.' }),
    filters: group(
      {
        tag: { help: 'List only snapshots that have this tag.', expected: 'a tag', example: 'nightly', schema: schema.oneTag },
        source: {
          help: 'List only snapshots that have a source of this name. Needs a key that can decrypt.',
          expected: 'the name of a source',
          example: 'app',
          schema: schema.text,
        },
        since: {
          ...moment,
          help: 'List only snapshots made at this time or later: a date, a time, or an age like 30d.',
          schema: schema.moment('first'),
        },
        until: {
          ...moment,
          help: 'List only snapshots made at this time or earlier: a date, whose day is included, a time, or an age like 7d.',
          schema: schema.moment('last'),
        },
      },
      (values) => values,
    ),
    retention: one(
      'retention',
      { ...retentionInput, help: 'Show what this policy would keep of the snapshots, and why. Nothing is deleted.' },
    ),
    format: one('format', {
      help: 'How the list is printed: text or markdown. The job summary is Markdown in any case.',
      expected: 'text or markdown',
      example: 'markdown',
      schema: schema.oneOf('text', 'markdown'),
      default: 'text',
    }),
    columns: one('columns', {
      help:
        'The columns of the text, in place of all, or at a terminal of those that fit its width. At a terminal the newest snapshot is ' +
        'last, elsewhere first.',
      expected: `names out of ${textColumns.join(', ')}, separated by commas`,
      example: 'snapshot, time, verified',
      schema: schema.someOf(...textColumns),
      list: true,
    }),
    key: optionalKey(
      'Optional: without a key the list shows what the store claims. With one the signatures are checked; with one that can decrypt, ' +
        'the sources, the description and the run of each snapshot are shown too.',
    ),
    access: access(),
    report,
    timeZone: retentionTimeZone,
  },
  requireStore,
)

export type ListInputs = SlicesOf<typeof inputs>

import { asJson, type CommandDefinition } from '../command.ts'
import { inputs, type ListInputs } from './inputs.ts'
import { list as run } from './list.ts'
import { listHeadline as headline, listSummary as summary, listText as text, missingSet } from './report.ts'
import type { ListResult } from './result.ts'

export const list = {
  name: 'list',
  purpose: 'List the backups in a store.',
  inputs,
  run,
  status: ({ missing }) => (missing ? 1 : 0),
  problems: ({ store, missing }) => (missing ? [`${store}: ${missingSet(missing)}`] : []),
  listed: (result) => result,
  headline,
  text,
  summary,
  outputs: {
    outcome: { help: 'done or failed.', value: ({ missing }) => (missing ? 'failed' : 'done') },
    count: { help: 'How many snapshots there are.', value: ({ snapshots }) => `${snapshots.length}` },
    'snapshot-id': {
      help: 'The id of the newest snapshot that is whole and, unless all of them are partial, complete; empty when there is none.',
      value: ({ restorable = '' }) => restorable,
    },
    result: asJson('All snapshots, as JSON.'),
  },
} as const satisfies CommandDefinition<ListInputs, ListResult>

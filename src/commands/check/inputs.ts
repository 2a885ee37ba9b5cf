import { flagInput, timeZone } from '../../inputs/display.ts'
import { commandInputs, group, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { notify } from '../../inputs/notify.ts'
import { report } from '../../inputs/report.ts'
import * as schema from '../../inputs/schemas.ts'
import { setInput } from '../../inputs/snapshot.ts'
import { access, destinations, requireStores } from '../../inputs/store.ts'
import { LEVELS } from '../../repository/levels.ts'

const age = { expected: 'a number and a unit (m, h, d, w or y), from 1m to 10y', example: '26h', schema: schema.age } as const

export const inputs = commandInputs(
  {
    key: requiredKey('The key of the backups; a write key is enough.'),
    destinations: destinations('Several, one per line: each is looked at, and must have all sets.'),
    set: one('set', { ...setInput, help: 'The set to look at; without it, every set there is.' }),
    conditions: group(
      {
        'max-age': { ...age, help: 'How old the newest verified snapshot of each set may be.', default: '26h' },
        'max-proof-age': {
          ...age,
          help:
            'How long ago each set may last have been verified at proof-level, whichever snapshot it was. If not given, it is ' +
            'not checked.',
          example: '8d',
        },
        'proof-level': {
          help: 'The level of verification that max-proof-age asks for, or a higher one: list, read or drill.',
          expected: 'list, read or drill',
          example: 'list',
          schema: schema.oneOf(...LEVELS),
          default: 'read',
        },
      },
      (values) => ({ maxAge: values['max-age'], maxProofAge: values['max-proof-age'], proofLevel: values['proof-level'] }),
    ),
    issue: one(
      'issue',
      {
        ...flagInput,
        help:
          'Open an issue in the repository when something is too old or cannot be checked, and close it when everything is fresh ' +
          'again; the job needs `permissions: issues: write`.',
      },
    ),
    access: access(),
    notify,
    report,
    timeZone,
  },
  requireStores,
)

export type CheckInputs = SlicesOf<typeof inputs>

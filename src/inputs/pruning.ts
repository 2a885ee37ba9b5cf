import { group } from './group.ts'
import type { Input } from './input.ts'
import * as schema from './schemas.ts'

export const retentionInput = {
  expected: 'rules last=, daily=, weekly=, monthly=, yearly=, drilled= with a number, within= with an age (h, d, w, y), or none',
  example: 'last=3 daily=7 weekly=4 monthly=12 within=30d',
  schema: schema.retention,
  pairs: '=',
} as const

export const graceInput = {
  help:
    'How long unreferenced data is kept before it is deleted: longer than any backup takes, and the same for every backup and ' +
    'prune of the store.',
  expected: 'a number and a unit (h or d), from 1h to 30d',
  example: '48h',
  schema: schema.grace,
  default: '24h',
} as const satisfies Input

/** The guards of a prune, and what a backup needs to know of prunes elsewhere. */
export interface Pruning {
  /** Nothing is pruned if the newest backup has less than this part, 0 to 1, of the one before. */
  minimumPart: number
  /** Milliseconds that unreferenced data is kept. */
  grace: number
}

export const pruning = group(
  {
    'prune-min-size': {
      help:
        'Prunes nothing if the newest backup has less than this part of the size of the previous one, because something may be ' +
        'missing from it.',
      expected: 'a percentage from 0% to 100%',
      example: '50%',
      schema: schema.percentage,
      default: '50%',
    },
    grace: graceInput,
  },
  (values): Pruning => ({ minimumPart: values['prune-min-size'], grace: values.grace }),
)

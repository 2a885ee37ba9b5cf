import { one } from './group.ts'
import type { Input } from './input.ts'
import * as schema from './schemas.ts'

const timezone = {
  help: 'The time zone in which times are shown to people. Results, ids and the store always use UTC.',
  expected: 'the name of a time zone',
  example: 'Europe/Berlin',
  schema: schema.timezone,
  default: 'UTC',
} as const satisfies Input

export const timeZone = one('timezone', timezone)

/** Of commands that take a retention policy. */
export const retentionTimeZone = one('timezone', {
  ...timezone,
  help: 'The time zone in which times are shown to people, and in which retention counts days. Results, ids and the store always use UTC.',
})

/** A switch; each needs a help text of its own. */
export const flagInput = { expected: 'true or false', example: 'true', schema: schema.flag, default: 'false', flag: true } as const

export const jobs = { expected: 'a whole number from 1 to 64', example: '4', schema: schema.wholeNumber(1, 64) } as const

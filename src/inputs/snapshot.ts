import { one } from './group.ts'
import type { Input } from './input.ts'
import * as schema from './schemas.ts'

export const setInput = {
  help: 'The name under which successive backups of the same thing are grouped.',
  expected: 'up to 100 letters, digits, dots, dashes and underscores, starting with a letter or digit',
  example: 'production',
  schema: schema.set,
  short: 's',
} as const satisfies Input

/** The set that is backed up, or pruned, or looked into. */
export const set = one('set', { ...setInput, default: 'default' })

/** The set of a command that needs one only for `latest` or a time. */
export const setLookedIn = one('set', { ...setInput, help: 'The set in which latest, or a time, is looked for.', default: 'default' })

export const snapshotInput = {
  help:
    'Which backup: latest, the id of a snapshot or its first characters, or a time (also as list prints it) or an age (3d), which mean ' +
    'the newest one not after it. A date means the end of that day in UTC.',
  expected: 'latest, the id of a snapshot or its beginning, a date, a time with its offset from UTC, or an age',
  example: '2026-11-20T02:00:00Z',
  schema: schema.snapshot,
} as const satisfies Input

/** A snapshot that must be named, at a terminal without the name of the input. */
export const chosenInput = { ...snapshotInput, required: true, positional: true } as const satisfies Input

export const tagsInput = {
  expected: 'tags of letters, digits and . _ : = @ + -, separated by commas or line ends',
  example: 'nightly, release=1.4',
  schema: schema.tags,
  default: '',
  list: true,
} as const

import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { nearest } from '../nearest.ts'
import { locationExpected, locationPatterns } from '../sources/known-kinds.ts'
import type { GivenSource } from '../sources/source-kind.ts'
import { type Group, group } from './group.ts'
import * as schema from './schemas.ts'
import { patternsFor, type Volume, volumeSecrets } from './volumes.ts'

/** Volumes to back up, and patterns of their files. */
export interface ChosenVolumes {
  list: readonly Volume[]
  include: readonly string[]
  exclude: readonly string[]
}

export const volumes: Group<ChosenVolumes> = group(
  {
    volumes: {
      help: `Volumes to back up, one per line, as name=PLACE. PLACE is ${locationPatterns('volume')}.`,
      expected: `one name=PLACE per line, where PLACE is ${locationExpected('volume')}`,
      example: 'uploads=/srv/app/uploads',
      schema: schema.volumes,
      secrets: volumeSecrets,
      default: '',
      list: true,
      pairs: '=',
    },
    include: {
      help:
        'Backs up only files of the volumes that match these patterns, one per line, in the syntax of gitignore; name=PATTERN is ' +
        'for one volume.',
      expected: 'patterns as in .gitignore, one per line, each optionally preceded by the name of a volume and =',
      example: '*.jpg',
      schema: schema.lines,
      default: '',
      list: true,
      pairs: '=',
    },
    exclude: {
      help:
        'Leaves out files of the volumes that match these patterns, one per line, in the syntax of gitignore; name=PATTERN is ' +
        'for one volume. A file .lifeboatignore at the top of a volume adds patterns.',
      expected: 'patterns as in .gitignore, one per line, each optionally preceded by the name of a volume and =',
      example: 'uploads=cache/',
      schema: schema.lines,
      default: '',
      list: true,
      pairs: '=',
    },
  },
  (values) => ({ list: values.volumes, include: values.include, exclude: values.exclude }),
)

/** Throws (status 2) if a line `NAME=PATTERN` names none of the volumes: its pattern would match nothing of the one that was meant. */
export function requirePatternsOf({ list, include, exclude }: ChosenVolumes): void {
  for (const [input, lines] of Object.entries({ include, exclude })) {
    const wrong = wrongPattern(lines, list.map(({ name }) => name))
    if (wrong) throw new LifeboatError(`${input}: ${wrong.message}`, { hint: wrong.hint, status: 2 })
  }
}

function wrongPattern(lines: readonly string[], volumes: readonly string[]): { message: string; hint: string } | undefined {
  if (volumes.length === 0 && lines.length > 0) {
    return { message: 'there are patterns, and no volume', hint: marked`Name the volumes in ‹volumes›, or leave the patterns out.` }
  }
  for (const line of lines) {
    const [, name, pattern] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,99})=(.*)$/s.exec(line) ?? []
    if (name === undefined || volumes.includes(name)) continue
    const known = `there ${volumes.length === 1 ? 'is' : 'are'}: ${volumes.join(', ')}`
    return {
      message: `there is no volume ${name} for the pattern ${JSON.stringify(pattern)}; ${known}`,
      hint: `Write ${nearest(name, volumes) ?? volumes[0]!}=PATTERN for one volume. For files whose names have an =, write **/${name}=….`,
    }
  }
  return undefined
}

export function volumesIn({ list, include, exclude }: ChosenVolumes): GivenSource[] {
  return list.map(({ name, ...location }) => ({
    name, location, patterns: { include: patternsFor(name, include, list), exclude: patternsFor(name, exclude, list) },
  }))
}

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
    },
  },
  (values) => ({ list: values.volumes, include: values.include, exclude: values.exclude }),
)

export function volumesIn({ list, include, exclude }: ChosenVolumes): GivenSource[] {
  return list.map(({ name, ...location }) => ({
    name, location, patterns: { include: patternsFor(name, include, list), exclude: patternsFor(name, exclude, list) },
  }))
}

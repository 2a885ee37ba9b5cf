import { InvalidValue } from '../error.ts'
import { kindAt, locationExpected, locationSecrets, neitherForm, parseLocation } from '../sources/known-kinds.ts'
import type { Location, SourceKind } from '../sources/source-kind.ts'
import { linesOf } from '../stores/destination.ts'
import { parsing, quote } from './schemas.ts'

/** Where a source of a snapshot is restored. */
export interface MappedTarget {
  source: string
  noun: SourceKind['noun']
  location: Location
}

/** Lines of `source=target`. No target is shown in an error: it may hold a password. */
export const restoreMap = parsing((text): MappedTarget[] => {
  const lines = linesOf(text)
  const targets = lines.map((line, index) => {
    const [, source, target] = /^([^=:/]+)=(.+)$/.exec(line) ?? []
    if (source === undefined || target === undefined)
      throw new InvalidValue(`line ${index + 1} is not the name of a source, = and a target`)
    const location = parseLocation('volume', target.trim()) ?? parseLocation('database', target.trim())
    if (!location)
      throw new InvalidValue(`the target of ${quote(source)} is ${neitherForm('volume')}, nor ${locationExpected('database')}`)
    return { source: source.trim(), noun: kindAt(location).noun, location }
  })
  const twice = targets.find(({ source }, index) => targets.findIndex((other) => other.source === source) !== index)
  if (twice) throw new InvalidValue(`there are two targets for ${quote(twice.source)}`)
  return targets
})

/** Every secret part of the text, well-formed or not. */
export function mapSecrets(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const target = line.slice(line.indexOf('=') + 1).trim()
    // A path is no secret; a database may be one in any part.
    return /^[a-z][a-z+]*:\/\//i.test(target) ? (['volume', 'database'] as const).flatMap((noun) => locationSecrets(noun, target)) : []
  })
}

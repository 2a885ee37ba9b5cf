import { z } from 'zod'
import { InvalidValue } from '../error.ts'
import { parseAssertions, type TableName } from '../sources/postgres/settings.ts'
import type { SnapshotChoice } from '../repository/catalog.ts'
import { momentIn, type Moment, momentOf } from './written-time.ts'
import { MOST_TAGS, setName, snapshotId, tag } from '../repository/snapshot.ts'
import { parseSshTarget } from '../net/ssh/address.ts'
import { parseKnownHosts } from '../net/ssh/known-hosts.ts'
import { parseDestination, parseDestinations } from '../stores/destination.ts'
import { parseRetention } from './retention.ts'
import { parseDuration } from './duration.ts'
import { parseVolumeLocation, parseVolumes } from './volumes.ts'

/** A text as an error shows it. */
export const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

/** A schema out of a parser that throws `InvalidValue`. */
export function parsing<T>(parse: (text: string) => T): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error
      context.addIssue(error.message)
      return z.NEVER
    }
  })
}

export const text = z.string()

export const filePath = parsing((text) => {
  if (text.trim() === '' || text.includes('\0') || /[/\\]$/.test(text)) throw new InvalidValue(`${quote(text)} is not the path of a file`)
  return text
})

export const description = parsing((text) => {
  if (text.length > 1000) throw new InvalidValue(`${text.length} characters are too many`)
  return text
})

export const flag = parsing((text) => {
  if (text !== 'true' && text !== 'false') throw new InvalidValue(`${quote(text)} is neither true nor false`)
  return text === 'true'
})

/** Lines of `name: query`. */
export const assertions = parsing(parseAssertions)

/** The values of a schema that takes a few words, whole numbers, or both: editors offer them. */
export interface KnownValues {
  readonly words?: readonly string[]
  readonly numbers?: { readonly least: number; readonly most: number }
  /** Of a schema that takes several words, separated by commas. */
  readonly listOf?: readonly string[]
  /** The value is the name of something in the store. */
  readonly names?: 'sets' | 'snapshots'
}

const knownValues = new WeakMap<z.ZodType, KnownValues>()

export function knownValuesOf(schema: z.ZodType): KnownValues | undefined {
  return knownValues.get(schema)
}

function knowing<S extends z.ZodType>(schema: S, values: KnownValues): S {
  knownValues.set(schema, values)
  return schema
}

export function oneOf<const W extends string>(...words: readonly W[]): z.ZodType<W, string> {
  return knowing(parsing((text) => {
    const word = words.find((word) => word === text)
    if (word === undefined) throw new InvalidValue(`${quote(text)} is not one of ${words.join(', ')}`)
    return word
  }), { words })
}

export function wholeNumber(least: number, most: number): z.ZodType<number, string> {
  return knowing(parsing((text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidValue(`${quote(text)} is not a whole number from ${least} to ${most}`)
    }
    return value
  }), { numbers: { least, most } })
}

/** One of these words, or a whole number. */
export function wordOrNumber<const W extends string>(words: readonly W[], least: number, most: number): z.ZodType<W | number, string> {
  const [word, number] = [oneOf(...words), wholeNumber(least, most)]
  return knowing(parsing((text) => {
    const found = [word.safeParse(text), number.safeParse(text)].find(({ success }) => success)
    if (found?.success) return found.data
    throw new InvalidValue(`${quote(text)} is neither ${words.join(', nor ')}, nor a whole number from ${least} to ${most}`)
  }), { words, numbers: { least, most } })
}

/** Milliseconds, from a second to a day. */
export const duration = parsing((text) => {
  const value = parseDuration(text, 'smh')
  if (value === undefined || value < 1000 || value > 86_400_000) throw new InvalidValue(`${quote(text)} is not a duration from 1s to 24h`)
  return value
})

/** Milliseconds, from an hour to 30 days. */
export const grace = parsing((text) => {
  const value = parseDuration(text, 'hd')
  if (value === undefined || value < 3_600_000 || value > 30 * 86_400_000) {
    throw new InvalidValue(`${quote(text)} is not a duration from 1h to 30d`)
  }
  return value
})

/** Milliseconds, from nothing to ten years. */
export const keepTime = parsing((text) => {
  const value = parseDuration(text, 'hdwy')
  if (value === undefined || value > 10 * 365 * 86_400_000) throw new InvalidValue(`${quote(text)} is not a duration from 0d to 10y`)
  return value
})

/** Milliseconds, from a minute to ten years. */
export const age = parsing((text) => {
  const value = parseDuration(text, 'mhdwy')
  if (value === undefined || value < 60_000 || value > 10 * 365 * 86_400_000) {
    throw new InvalidValue(`${quote(text)} is not an age from 1m to 10y`)
  }
  return value
})

/** Milliseconds, from a day to ten years; infinite for never. */
export const interval = parsing((text) => {
  if (text === 'never') return Infinity
  const value = parseDuration(text, 'dwy')
  if (value === undefined || value < 86_400_000 || value > 10 * 365 * 86_400_000) {
    throw new InvalidValue(`${quote(text)} is neither a duration from 1d to 10y nor never`)
  }
  return value
})

/** Bytes, from 64 MiB to 1 TiB. */
export const diskSpace = parsing((text) => {
  const [, number, unit] = /^(\d{1,6}) ?(MiB|GiB)$/.exec(text) ?? []
  const value = Number(number) * 1024 ** (unit === 'GiB' ? 3 : 2)
  if (number === undefined || value < 64 * 1024 ** 2 || value > 1024 ** 4) {
    throw new InvalidValue(`${quote(text)} is not a size from 64MiB to 1024GiB`)
  }
  return value
})

/** A part of a whole, 0 to 1. */
export const percentage = parsing((text) => {
  const [, number] = /^(\d{1,3})%$/.exec(text) ?? []
  if (number === undefined || Number(number) > 100) throw new InvalidValue(`${quote(text)} is not a percentage from 0% to 100%`)
  return Number(number) / 100
})

/** So many, or so large a part. */
export const most = parsing((text): Most => {
  if (/^\d{1,6}$/.test(text)) return { count: Number(text) }
  if (percentage.safeParse(text).success) return { part: percentage.parse(text) }
  throw new InvalidValue(`${quote(text)} is neither a number nor a percentage`)
})

export type Most = { count: number } | { part: number }

/** A time, or how long ago. A date means its first or last moment. */
export function moment(ofDay: 'first' | 'last'): z.ZodType<Moment, string> {
  return parsing((text) => {
    const found = momentIn(text, ofDay)
    if (!found) throw notATime(text, 'neither a date, nor a time with its offset from UTC, nor an age like 7d')
    return found
  })
}

/** `kinds`: read after "is". */
function notATime(text: string, kinds: string): InvalidValue {
  const [, time] = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)$/.exec(text) ?? []
  if (time === undefined) return new InvalidValue(`${quote(text)} is ${kinds}`)
  return new InvalidValue(`${quote(text)} lacks its offset from UTC: ${time.replace(' ', 'T')}Z is that time in UTC`)
}

export const retention = parsing((text) => parseRetention(text, (problem) => new InvalidValue(problem)))

export const timezone = parsing((text) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone
  } catch {
    // A RangeError is how Intl says that it knows no such zone.
    throw new InvalidValue(`${quote(text)} is not a time zone`)
  }
})

/** Words separated by commas or line ends, each once. */
export const words = parsing(splitWords)
/** Names that need none of the separators' characters, or a JSON array of any names. */
export const names = parsing((text) => (text.trimStart().startsWith('[') ? parseJson(text, z.array(z.string().min(1))) : splitWords(text)))
const jsonOfTables = z.array(z.union([z.string().min(1), z.tuple([z.string().min(1), z.string().min(1)])]))
export const tableNames = parsing((text): TableName[] =>
  text.trimStart().startsWith('[') ? parseJson(text, jsonOfTables) : splitWords(text),
)
/** One of them, in which a comma is a part of the name. */
export const tableName = parsing((text): TableName => {
  if (!text.trimStart().startsWith('[')) return text.trim()
  const [table, ...others] = parseJson(text, jsonOfTables)
  if (table === undefined || others.length > 0) throw new InvalidValue(`${quote(text)} is not one table`)
  return table
})

function parseJson<T>(text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    throw new InvalidValue(`${quote(text)} begins with [ and is not a JSON array of names`)
  }
}
export const tags = parsing((text) => {
  const words = splitWords(text)
  if (words.length > MOST_TAGS) throw new InvalidValue(`${words.length} tags, and a snapshot has ${MOST_TAGS} at most`)
  return words.map((word) => checked(tag, word, 'a tag'))
})
export const oneTag = parsing((text) => checked(tag, text, 'a tag'))
export const recipients = parsing((text) => splitWords(text).map((word) => checked(
  z.string().regex(/^age1[a-z0-9]{20,}$/),
  word,
  'an age recipient',
)))
export const set = knowing(parsing((text) => checked(setName, text, 'the name of a set')), { names: 'sets' })

function splitWords(text: string): string[] {
  const words = text.split(/[,\r\n]/).map((word) => word.trim())
  return [...new Set(words.filter((word) => word !== ''))]
}

function checked(schema: z.ZodType<string>, word: string, what: string): string {
  if (!schema.safeParse(word).success) throw new InvalidValue(`${quote(word)} is not ${what}`)
  return word
}

/** Some of a few words. */
export function someOf<const W extends string>(...known: readonly W[]): z.ZodType<W[], string> {
  const wordSchema = oneOf(...known)
  return knowing(parsing((text) => splitWords(text).map((word) => {
    const parsed = wordSchema.safeParse(word)
    if (!parsed.success) throw new InvalidValue(parsed.error.issues[0]!.message)
    return parsed.data
  })), { listOf: known })
}

const SNAPSHOTS: KnownValues = { names: 'snapshots' }

export const snapshotIds = knowing(
  parsing((text) => splitWords(text).map((word) => checked(snapshotId, word, 'the id of a snapshot'))), SNAPSHOTS,
)

export const snapshotOrAll = knowing(parsing((text): 'all' | Exclude<SnapshotChoice, { kind: 'time' }> => {
  if (text === 'all') return text
  if (text === 'latest') return { kind: 'latest' }
  if (BEGINNING_OF_ID.test(text)) return { kind: 'id', id: text }
  throw new InvalidValue(`${quote(text)} is neither all, nor latest, nor the id of a snapshot`)
}), SNAPSHOTS)

/** An id, or its first characters, from the day on. */
const BEGINNING_OF_ID = /^\d{8}(?:T\d{0,6}|T\d{6}Z|T\d{6}Z-[0-9a-f]{0,8})?$/

export const snapshot = knowing(parsing((text): SnapshotChoice => {
  if (text === 'latest') return { kind: 'latest' }
  if (BEGINNING_OF_ID.test(text)) return { kind: 'id', id: text }
  const moment = momentIn(text, 'last')
  if (moment) return { kind: 'time', time: momentOf(moment, new Date()) }
  throw notATime(text, 'neither latest, nor the id of a snapshot, nor a date, time or age')
}), SNAPSHOTS)

export const anySnapshotOrAll = knowing(parsing((text): 'all' | SnapshotChoice => {
  if (text === 'all') return text
  const parsed = snapshot.safeParse(text)
  if (parsed.success) return parsed.data
  throw notATime(text, 'neither all, nor latest, nor the id of a snapshot, nor a date, time or age')
}), SNAPSHOTS)

export const destination = parsing(parseDestination)
export const destinations = parsing(parseDestinations)
export const knownHosts = parsing(parseKnownHosts)
export const sshTarget = parsing((text) => parseSshTarget(text.trim()))

export const volumes = parsing((text) => parseVolumes(text, (problem) => new InvalidValue(problem)))
export const volumePlace = parsing((text) => parseVolumeLocation(text.trim(), (problem) => new InvalidValue(problem)))

/** Docker containers, by name or by `label=`. */
export const containers = parsing((text) =>
  splitWords(text).map((word) => {
    const label = /^label=(.+)$/.exec(word)?.[1]
    if (label === undefined && !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(word)) {
      throw new InvalidValue(`${quote(word)} is neither the name of a container nor label=NAME`)
    }
    return label === undefined ? { name: word } : { label }
  }),
)

export const image = parsing((text) => {
  if (!/^[A-Za-z0-9][A-Za-z0-9./:@_-]*$/.test(text)) throw new InvalidValue(`${quote(text)} is not the name of an image`)
  return text
})

/** The lines that are not empty, unchanged. */
export const lines = parsing((text) => text.split(/\r?\n/).filter((line) => line.trim() !== ''))

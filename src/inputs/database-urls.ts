import { InvalidValue } from '../error.ts'
import { parseDatabaseLine, parseDatabaseUrl } from '../sources/postgres/connection.ts'
import { parsing, quote } from './schemas.ts'

/** A database to read: the name it has in the snapshot, and where it is. */
export interface Database {
  name: string
  /** `postgres://…`; holds the password. */
  url: string
}

export const databases = parsing((text): Database[] => {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
  if (lines.length === 0) throw new InvalidValue('there is no URL in it')
  const databases = lines.map(parseDatabase)
  const names = databases.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new InvalidValue(`two databases are named ${quote(twice)}; put a different name= before each URL`)
  return databases
})

export const database = parsing((text): string => {
  const lines = text.trim().split(/\r?\n/)
  if (lines.length > 1) throw new InvalidValue(`there are ${lines.length} lines; one database is restored at a time`)
  return parseDatabase(text).url
})

const QUOTED = 'the URL is in quotation marks. Remove the quotation marks'

function parseDatabase(line: string): Database {
  // No part of the line is shown: it may be a part of a password.
  if (/^\s*["'`]/.test(line)) throw new InvalidValue(QUOTED)
  const { name, url } = parseDatabaseLine(line)
  if (/^["'`]/.test(url)) throw new InvalidValue(QUOTED)
  if (/[,;\s](?:[\w.-]+\s*=\s*)?postgres(?:ql)?:\/\//.test(url)) {
    throw new InvalidValue('there are several URLs in one line. Write one per line')
  }
  const { database } = parseDatabaseUrl(url)
  return { name: name ?? nameOf(database), url }
}

/** The name of a database as a name of a source, which file names and terminals take. */
function nameOf(database = ''): string {
  return database.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, '').slice(0, 100) || 'database'
}

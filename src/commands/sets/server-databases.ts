import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { formatSome } from '../../report/format.ts'
import { nearest } from '../../nearest.ts'
import { type DatabaseChoice, isChosen, isMatch, isNamed, patternText } from '../../inputs/chosen-databases.ts'
import { kindAt } from '../../sources/known-kinds.ts'
import type { SourceAccess } from '../../sources/settings.ts'
import type { FoundDatabase, LeftOutDatabase, SourceContext } from '../../sources/source-kind.ts'
import type { Database } from '../../inputs/database-urls.ts'
import { ONLY_SERVER, VOLUMES } from './set-names.ts'

export type ServerDatabase = FoundDatabase & { server: string }

export interface FoundDatabases {
  chosen: ServerDatabase[]
  leftOut: (LeftOutDatabase & { server: string })[]
  notChosen: number
}

/** Throws (status 2) for a URL that names a database, and for names that the choice, or sets, cannot have. */
export function requireServers(servers: readonly Database[], { include, exclude }: DatabaseChoice): void {
  const wrong = servers.findIndex((location) => kindAt(location).server?.is(location) !== true)
  if (wrong >= 0) {
    // The name may be a part of the URL, and that a part of its password.
    const which = servers.length === 1 ? 'the URL' : `URL ${wrong + 1} of ${servers.length}`
    throw new LifeboatError(`database-url: ${which} names a database; databases are chosen on a server`, {
      hint: marked`Leave the database out of the URL, postgres://user:password@host:5432, and choose it by ‹databases›.`, status: 2,
    })
  }
  const names = servers.map(({ name }) => name)
  if (names.includes(VOLUMES)) {
    throw new LifeboatError(`database-url: a server cannot be named ${VOLUMES}, as sets of volumes begin with it`, { status: 2 })
  }
  const unknown = [...(include === 'all' ? [] : include), ...exclude].find(({ server }) => server !== undefined && !names.includes(server))
  if (!unknown) return
  throw new LifeboatError(`databases: there is no server ${unknown.server!} for ${patternText(unknown)}; there is ${names.join(', ')}`, {
    hint: `Write ${nearest(unknown.server!, names) ?? names[0] ?? 'eu'}=PATTERN, and put ${unknown.server!}= before the URL of a server.`,
    status: 2,
  })
}

/** ` of eu`; nothing for a server without a name. */
export function ofServer(name: string | undefined): string {
  return name === undefined || name === ONLY_SERVER ? '' : ` of ${name}`
}

/**
 * Asks all servers for the databases that are chosen. Throws if one of them cannot be asked, and, with `complete`, if none has a database
 * that is named.
 */
export async function findDatabases(
  servers: readonly Database[],
  choice: DatabaseChoice,
  settings: SourceAccess & { sizes: boolean; complete: boolean },
  context: SourceContext,
): Promise<FoundDatabases> {
  const found: FoundDatabases = { chosen: [], leftOut: [], notChosen: 0 }
  for (const { name: server, ...location } of servers) {
    const { databases, leftOut } = await kindAt(location).server!.databases(location, settings, context)
    const chosen = databases.filter(({ name }) => isChosen(choice, server, name))
    found.notChosen += databases.length - chosen.length
    for (const { aside, ...one } of chosen) {
      if (aside === undefined || isNamed(choice, server, one.name)) found.chosen.push({ ...one, server })
      else found.leftOut.push({ name: one.name, why: aside, expected: true, server })
    }
    const wanted = leftOut.filter(({ name }) => isChosen(choice, server, name))
    found.leftOut.push(...wanted.map((one) => ({ ...one, server })))
  }
  if (settings.complete) tellOf(found, choice, context)
  return found
}

function tellOf({ chosen, leftOut }: FoundDatabases, { include }: DatabaseChoice, { report }: SourceContext): void {
  for (const { name, server, why, expected } of leftOut) {
    const text = `database ${JSON.stringify(name)}${ofServer(server)} is left out: it ${why}`
    if (expected) report.info(text)
    else report.warning(text, marked`Let the role back it up, or leave it out: ‹databases: !NAME›.`)
  }
  if (include === 'all') return
  const unmatched = include.filter((pattern) => ![...chosen, ...leftOut].some(({ server, name }) => isMatch(pattern, server, name)))
  const lacking = unmatched.filter(({ glob }) => !glob).map(patternText)
  if (lacking.length > 0) {
    throw new LifeboatError(`there is no database ${formatSome(lacking.map((name) => JSON.stringify(name)), 5)}`, {
      hint: marked`Check ‹databases›, and the role: \`psql -l\` lists what it sees. Names are compared with their case.`,
    })
  }
  for (const pattern of unmatched) report.warning(`no database matches ${patternText(pattern)}`, marked`Check ‹databases›.`)
}

import { marked, markedCommand } from '../../marks.ts'
import { formatSome } from '../../report/format.ts'
import { ChildError } from '../../process/child.ts'
import { beginningOf } from '../../process/cut.ts'
import { shellWord } from '../../report/recipe.ts'
import { LEAVE_PUBLICATION, PUBLICATION_LOST } from './clean/beside.ts'
import { KEEP_PARTITIONS, PARTITIONS_LOST } from './clean/partitions.ts'
import type { Connection } from './connection.ts'
import { quotesValues, withoutValues } from './drill/restore-problem.ts'
import { blot } from './errors.ts'
import type { ObjectSettings } from './settings.ts'

/** The messages of pg_restore on stderr. */
export interface RestoreOutput {
  /** One text per error: the message, and the beginning of the statement. */
  errors: string[]
  warnings: string[]
  /** Whether it read the whole archive, and said how many errors it ignored. */
  finished: boolean
  /** The error that tells of the end of its session. After it, pg_restore goes on, and every statement fails. */
  lost?: string
  /** Settings of newer servers that this one does not know, and does not need. */
  unknownSettings: string[]
}

/**
 * Reads pg_restore's stderr (LC_ALL=C; messages of a server are in its own language). A statement that may contain a password is left out.
 * `shown`: what is kept of an error's text; by default, no values of rows.
 */
export function parseRestoreOutput(stderr: string, shown: (told: string, statement: string) => string = safely): RestoreOutput {
  const output: RestoreOutput = { errors: [], warnings: [], finished: false, unknownSettings: [] }
  // Every message starts with the program's name; lines without it belong to the message before.
  for (const message of stderr.split(/^pg_restore: /m).map((text) => text.trim())) {
    if (message.startsWith('warning: errors ignored on restore')) output.finished = true
    else if (message.startsWith('warning: ')) output.warnings.push(message.slice('warning: '.length))
    else if (message.startsWith('error: ')) {
      const setting = /\nCommand was: SET (\w+_timeout) = 0;$/.exec(message)
      if (setting) output.unknownSettings.push(setting[1]!)
      else output.errors.push(describe(message.slice('error: '.length), shown))
      if (output.lost === undefined && LOST.test(message)) output.lost = output.errors.at(-1)
    }
  }
  return output
}

/** The words of libpq. An error about a session between two servers has its severity before them. */
const LOST = new RegExp(
  `^(?:error: (?:[^:\\n"]+|COPY failed for table .*): )?(?:${[
    'no connection to the server', 'server closed the connection unexpectedly', 'SSL connection has been closed unexpectedly',
    'could not receive data from server', 'could not send data to server',
  ].join('|')})`,
  'm',
)

/** The error with those messages of a pg_restore that may be shown, and of one that lost its session with that alone. */
export function withoutRows(error: unknown, secrets: readonly string[]): unknown {
  if (!(error instanceof ChildError)) return error
  const stderr = blot(error.exit.stderr, secrets)
  const { errors, lost } = parseRestoreOutput(stderr)
  const [before = ''] = stderr.split(/^pg_restore: /m, 1) // Of the system, if the program could not be started.
  return new ChildError(error.program, { ...error.exit, stderr: lost ?? [before.trim(), ...errors].join('\n') })
}

function describe(message: string, shownOf: (told: string, statement: string) => string): string {
  const [told = '', statement = ''] = message.replace(/^could not execute query: [^\s:]+: {2}/, '').split(/\n?Command was: /)
  const shown = /password|conninfo|CONNECTION/i.test(statement) ? '' : beginningOf(statement.split('\n')[0]!.trim(), 200)
  const named = /^INSERT INTO [^(]*?(?= VALUES|$)/.exec(shown)?.[0] ?? shown
  return `${beginningOf(shownOf(told.trim(), statement), 1000)}${named && `: ${named}`}`
}

/** Logs of workflows are read by many, so values of rows are left out: the place tells where they are, by table, line and column. */
export function safely(told: string, statement: string): string {
  if (statement.startsWith('INSERT') || quotesValues(told)) return withoutValues(told)
  const [message = '', ...more] = told.split(/\n(?=[^\s:]+: {2})/)
  return [message, ...more.filter((section) => !/\)=\(|^\S+: {2}(?:Failing row|JSON data|Token )/.test(section))].join('\n')
}

/** How to create the roles of a backup, which are in a stream of their own. */
export function rolesHint({ environment }: Pick<Connection, 'environment'>, snapshot: string, source: string, stored: boolean): string {
  if (!stored) return 'Create the roles first; the backup does not have them.'
  const server = Object.entries({ '-h': 'PGHOST', '-p': 'PGPORT', '-U': 'PGUSER' }).flatMap(([option, variable]) => {
    const value = environment[variable]
    return value === undefined ? [] : [`${option} ${shellWord(value)}`]
  })
  return [
    'Create the roles first, with the two commands that follow. Read globals.sql between them: it also sets passwords and attributes of ' +
      'roles that exist. Delete the lines of roles that the server has.',
    `  ${markedCommand('extract', { snapshot, source, path: 'globals.sql', output: 'globals.sql' })}`,
    `  ${['psql', ...server, '-d postgres -f globals.sql'].join(' ')}`,
  ].join('\n')
}

type Given = Pick<ObjectSettings, 'noOwner' | 'noPrivileges'>

/** The inputs that restore without roles, but for those that were given; undefined if both were. */
export function withoutRolesHint({ noOwner, noPrivileges }: Given): string | undefined {
  const left = [...(noOwner ? [] : [marked`‹no-owner: true›`]), ...(noPrivileges ? [] : [marked`‹no-privileges: true›`])]
  return left.length > 0 ? `restore with ${left.join(' and ')}` : undefined
}

/** How to create roles, or to restore without them. `ways`: others than `withoutRolesHint`. */
export function rolesOrWithout(toCreate: string, given: Given, ways: readonly string[] = []): string {
  const all = [withoutRolesHint(given) ?? [], ...ways].flat()
  return all.length === 0 ? toCreate : `${toCreate}\nOr ${all.join(', or ')}.`
}

/** A hint for these errors, if there is one. `roles`: how to create the roles of the backup. */
export function hintFor(errors: readonly string[], roles: string, given: Given): string | undefined {
  const without = withoutRolesHint(given)
  const has = (pattern: RegExp) => errors.some((error) => pattern.test(error))
  if (errors.some((error) => error.includes(PARTITIONS_LOST))) return KEEP_PARTITIONS
  if (errors.some((error) => error.includes(PUBLICATION_LOST))) return LEAVE_PUBLICATION
  if (has(/role ".*" does not exist|must be member of|must be able to SET ROLE/)) {
    const named = [...new Set(errors.flatMap((error) => /role "(.*?)" does not exist/.exec(error)?.[1] ?? []))]
    const missing = named.length > 0 ? ` (${formatSome(named, 8)})` : ''
    return rolesOrWithout(`Roles of the backup are missing here${missing}, or this role may not act for them. ${roles}`, given)
  }
  if (has(/must be owner of/)) return marked`Restore as the owner of these tables, or into a new database (‹mode: create›).`
  if (has(/permission denied to (?:set|create)|permission denied for|No privileges|must be superuser/i)) {
    return `This role lacks a permission: restore as the owner of the database${without === undefined ? '' : `, or ${without}`}.`
  }
  if (has(/extension ".*" is not available|could not open extension control file/)) {
    return 'Install the missing extension at the target server, then restore again.'
  }
  if (has(/unrecognized configuration parameter/)) {
    return 'The target server is older than the backup: restore into the same major version or a newer one.'
  }
  if (has(/lock timeout/))
    return marked`Others use an object that is replaced: stop these clients, or restore the whole database with ‹mode: swap›.`
  if (has(/max_locks_per_transaction/)) return marked`Raise max_locks_per_transaction at the target server, or restore with ‹mode: create›.`
  if (has(/No space left on device/)) return 'The disk of the target server is full: make room there, then restore again.'
  return undefined
}

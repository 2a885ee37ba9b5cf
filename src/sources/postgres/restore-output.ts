import { marked } from '../../marks.ts'
import { beginningOf } from '../../process/cut.ts'
import { shellWord } from '../../report/recipe.ts'
import type { Connection } from './connection.ts'

/** The messages of pg_restore on stderr. */
export interface RestoreOutput {
  /** One text per error: the message, and the beginning of the statement. */
  errors: string[]
  warnings: string[]
  /** Whether it read the whole archive, and said how many errors it ignored. */
  finished: boolean
  /** Settings of newer servers that this one does not know, and does not need. */
  unknownSettings: string[]
}

/**
 * Reads pg_restore's stderr (LC_ALL=C; messages of a server are in its own language). A statement that may contain a password is left out.
 */
export function parseRestoreOutput(stderr: string): RestoreOutput {
  const output: RestoreOutput = { errors: [], warnings: [], finished: false, unknownSettings: [] }
  // Every message starts with the program's name; lines without it belong to the message before.
  for (const message of stderr.split(/^pg_restore: /m).map((text) => text.trim())) {
    if (message.startsWith('warning: errors ignored on restore')) output.finished = true
    else if (message.startsWith('warning: ')) output.warnings.push(message.slice('warning: '.length))
    else if (message.startsWith('error: ')) {
      const setting = /\nCommand was: SET (\w+_timeout) = 0;$/.exec(message)
      if (setting) output.unknownSettings.push(setting[1]!)
      else output.errors.push(describe(message.slice('error: '.length)))
    }
  }
  return output
}

function describe(message: string): string {
  const [told = '', statement = ''] = message.replace(/^could not execute query: [^\s:]+: {2}/, '').split(/\n?Command was: /)
  const shown = /password|conninfo|CONNECTION/i.test(statement) ? '' : beginningOf(statement.split('\n')[0]!.trim(), 200)
  return `${beginningOf(told.trim(), 1000)}${shown && `: ${shown}`}`
}

/** How to create the roles of a backup, which are in a stream of their own that recover.sh, a file of the store, extracts. */
export function rolesHint({ environment }: Pick<Connection, 'environment'>, snapshot: string, source: string, stored: boolean): string {
  if (!stored) return 'Create the roles first; the backup does not have them.'
  const server = Object.entries({ '-h': 'PGHOST', '-p': 'PGPORT', '-U': 'PGUSER' }).flatMap(([option, variable]) => {
    const value = environment[variable]
    return value === undefined ? [] : [`${option} ${shellWord(value)}`]
  })
  return [
    'Create the roles first, in the folder of the store or a copy of it, with the identity in key.txt:',
    `  sh recover.sh extract ${snapshot} ${source}/globals.sql -i key.txt -o globals.sql`,
    `  ${['psql', ...server, '-d postgres -f globals.sql'].join(' ')}`,
    'Read globals.sql before you give it to psql: it also sets passwords and attributes of roles that exist. Delete the lines ' +
      'of roles that the server has.',
  ].join('\n')
}

/** A hint for these errors, if there is one. `roles`: how to create the roles of the backup. */
export function hintFor(errors: readonly string[], roles: string): string | undefined {
  const has = (pattern: RegExp) => errors.some((error) => pattern.test(error))
  if (has(/role ".*" does not exist|must be member of|must be able to SET ROLE/)) {
    return marked`Roles of the backup are missing here, or this role may not act for them. ${roles}\nOr restore with ‹no-owner: true› ` +
      marked`and ‹no-privileges: true›, which is enough unless policies name roles.`
  }
  if (has(/must be owner of/)) return marked`Restore as the owner of these tables, or into a new database (‹mode: create›).`
  if (has(/permission denied to (?:set|create)|permission denied for|No privileges|must be superuser/i)) {
    return marked`This role lacks a permission: restore with ‹no-owner: true› and ‹no-privileges: true›, or as the owner of the database.`
  }
  if (has(/extension ".*" is not available|could not open extension control file/)) {
    return 'Install the missing extension at the target server, then restore again.'
  }
  if (has(/unrecognized configuration parameter/)) {
    return 'The target server is older than the backup: restore into the same major version or a newer one.'
  }
  if (has(/max_locks_per_transaction/)) return marked`Raise max_locks_per_transaction at the target server, or restore with ‹mode: create›.`
  if (has(/No space left on device/)) return 'The disk of the target server is full: make room there, then restore again.'
  return undefined
}

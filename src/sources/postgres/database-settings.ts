import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Entry } from './contents.ts'
import { ofDatabase } from './contents.ts'
import { identifier, literal } from './query.ts'
import { statementsOf, type Token, Tokens, tokensOf } from './tokens.ts'

/** An archive's statements about the database itself, made again for another name out of what was read from them. */
export interface DatabaseSettings {
  /** For CREATE DATABASE. */
  options: DatabaseOption[]
  /** Roles that they name. */
  roles: Set<string>
  /** The role that the database is given to; undefined if owners are left out. */
  owner?: string
  /** Settings, comment, owner, privileges. */
  early: string[]
  /** Statements that could prevent the restore, or the removal of a failed one. */
  late: string[]
}

export interface DatabaseOption {
  name: string
  value: { text: string } | { name: string }
}

export interface SettingsOptions {
  noOwner: boolean
  noPrivileges: boolean
  noTablespaces: boolean
  /** Roles that the server lacks, whose own settings are left out. */
  lacking?: ReadonlySet<string> | undefined
}

/**
 * Reads the entries of the database itself. Their SQL came from a server: none of it is run, but statements are made from names and values
 * that were read with the few forms pg_dump writes (pg_dump.c: dumpDatabase, dumpDatabaseConfig; dumputils.c). Throws `LifeboatError` for
 * every other.
 */
export function databaseSettings(entries: readonly Entry[], database: string, choice: SettingsOptions): DatabaseSettings | undefined {
  const own = entries.filter(ofDatabase)
  const definition = own.find(({ kind }) => kind === 'DATABASE')
  if (!definition) return undefined
  const standardStrings = standardStringsIn(entries)
  const settings: DatabaseSettings = { options: [], roles: new Set(), early: [], late: [] }
  for (const entry of own) {
    if (entry.kind === 'ACL' && choice.noPrivileges) continue
    for (const statement of statements(entry, standardStrings)) {
      if (entry.kind === 'DATABASE') settings.options = readDefinition(new Tokens(statement), choice) ?? refuse(entry)
      else {
        const made = translate(new Tokens(statement), identifier(database)) ?? refuse(entry)
        if (entry.kind !== 'ACL' && made.role !== undefined && choice.lacking?.has(made.role)) continue
        settings[made.late ? 'late' : 'early'].push(made.sql)
        if (made.role !== undefined) settings.roles.add(made.role)
      }
    }
  }
  if (!choice.noOwner && definition.owner !== '') {
    settings.early.unshift(`ALTER DATABASE ${identifier(database)} OWNER TO ${identifier(definition.owner)}`)
    settings.roles.add(definition.owner)
    settings.owner = definition.owner
  }
  return settings
}

/** Whether a backslash in '…' is a backslash, in the statements of an archive. */
export function standardStringsIn(entries: readonly Entry[]): boolean {
  return !entries.some(({ kind, definition = '' }) => kind === 'STDSTRINGS' && definition.includes("'off'"))
}

/**
 * `CREATE DATABASE name WITH …` for this server: options that an older server does not know are left out if they are the default, and
 * refused otherwise.
 */
export function createStatement(database: string, options: readonly DatabaseOption[], serverMajor: number): string {
  const known = options.filter(({ name, value }) => {
    const since = SINCE[name] ?? 0
    if (serverMajor >= since) return true
    if (name === 'locale_provider' && 'name' in value && value.name === 'libc') return false
    throw new LifeboatError(`the database was made with ${name.toUpperCase()}, which PostgreSQL ${serverMajor} does not know`, {
      hint: marked`Restore into PostgreSQL ${since} or newer, or create the database yourself and restore with ‹mode: empty›.` })
  })
  const texts = known.map(({ name, value }) => `${name.toUpperCase()} = ${'text' in value ? literal(value.text) : identifier(value.name)}`)
  return `CREATE DATABASE ${identifier(database)} WITH ${texts.join(' ')}`
}

const SINCE: Readonly<Record<string, number>> = { locale_provider: 15, icu_locale: 15, icu_rules: 16, builtin_locale: 17 }

function statements({ definition = '', ...entry }: Entry, standardStrings: boolean): Token[][] {
  const tokens = tokensOf(definition, standardStrings)
  return (tokens && statementsOf(tokens)) ?? refuse(entry)
}

function refuse({ kind, name }: Pick<Entry, 'kind' | 'name'>): never {
  throw new LifeboatError(`the archive has an unexpected statement about its database (${kind} ${name}), which is not run`, {
    hint: marked`Create the database yourself and restore with ‹mode: empty›; pg_restore --create -f - prints the statement.` })
}

/** Skips the name in the archive, which is that of the database that was backed up. */
function readDefinition(tokens: Tokens, { noTablespaces }: SettingsOptions): DatabaseOption[] | undefined {
  if (!tokens.words('create database') || tokens.name() === undefined || !tokens.words('with')) return undefined
  const options: DatabaseOption[] = []
  while (!tokens.ended) {
    const name = tokens.word()
    if (name === undefined || !DEFINITION_OPTIONS.has(name) || !tokens.words('=')) return undefined
    const text = tokens.text()
    const value = text === undefined ? tokens.name() : text
    if (value === undefined) return undefined
    if (name !== 'tablespace' || !noTablespaces) options.push({ name, value: text === undefined ? { name: value } : { text } })
  }
  return options
}

const DEFINITION_OPTIONS = new Set([
  'template',
  'encoding',
  'locale_provider',
  'locale',
  'lc_collate',
  'lc_ctype',
  'icu_locale',
  'icu_rules',
  'builtin_locale',
  'tablespace',
])

interface Made {
  sql: string
  role?: string
  late?: boolean
}

function translate(tokens: Tokens, database: string): Made | undefined {
  const made =
    alterDatabase(tokens, database) ??
    alterRole(tokens, database) ??
    comment(tokens, database) ??
    label(tokens, database) ??
    privileges(tokens, database) ??
    grantor(tokens)
  return tokens.ended ? made : undefined
}

function alterDatabase(tokens: Tokens, database: string): Made | undefined {
  if (!tokens.words('alter database') || tokens.name() === undefined) return undefined
  if (tokens.words('set')) {
    const setting = readSetting(tokens)
    return setting && { sql: `ALTER DATABASE ${database} SET ${setting.sql}`, late: setting.name === 'default_transaction_read_only' }
  }
  if (tokens.words('connection limit =')) {
    const limit = tokens.number()
    return limit === undefined ? undefined : { sql: `ALTER DATABASE ${database} CONNECTION LIMIT = ${limit}`, late: true }
  }
  return tokens.words('is_template = true') ? { sql: `ALTER DATABASE ${database} IS_TEMPLATE = true`, late: true } : undefined
}

function alterRole(tokens: Tokens, database: string): Made | undefined {
  if (!tokens.words('alter role')) return undefined
  const role = tokens.name()
  if (role === undefined || !tokens.words('in database') || tokens.name() === undefined || !tokens.words('set')) return undefined
  const setting = readSetting(tokens)
  return (
    setting && {
      sql: `ALTER ROLE ${identifier(role)} IN DATABASE ${database} SET ${setting.sql}`,
      role,
      late: setting.name === 'default_transaction_read_only',
    }
  )
}

function readSetting(tokens: Tokens): { name: string; sql: string } | undefined {
  const name = tokens.name()
  if (name === undefined || !tokens.words('to')) return undefined
  const values = tokens.list(() => tokens.text())
  return values && { name: name.toLowerCase(), sql: `${identifier(name)} TO ${values.map(literal).join(', ')}` }
}

function comment(tokens: Tokens, database: string): Made | undefined {
  if (!tokens.words('comment on database') || tokens.name() === undefined || !tokens.words('is')) return undefined
  const text = tokens.text()
  return text === undefined ? undefined : { sql: `COMMENT ON DATABASE ${database} IS ${literal(text)}` }
}

function label(tokens: Tokens, database: string): Made | undefined {
  if (!tokens.words('security label for')) return undefined
  const provider = tokens.name()
  if (provider === undefined || !tokens.words('on database') || tokens.name() === undefined || !tokens.words('is')) return undefined
  const text = tokens.text()
  return text === undefined ? undefined : { sql: `SECURITY LABEL FOR ${identifier(provider)} ON DATABASE ${database} IS ${literal(text)}` }
}

function privileges(tokens: Tokens, database: string): Made | undefined {
  const verb = tokens.words('grant') ? 'GRANT' : tokens.words('revoke') ? 'REVOKE' : undefined
  if (verb === undefined) return undefined
  const option = verb === 'REVOKE' && tokens.words('grant option for') ? 'GRANT OPTION FOR ' : ''
  const names = tokens.list(() => tokens.word())
  if (!names?.every((name) => PRIVILEGES.has(name)) || !tokens.words('on database') || tokens.name() === undefined) return undefined
  if (!tokens.words(verb === 'GRANT' ? 'to' : 'from')) return undefined
  const everyone = tokens.words('public') // A role of that name would be in quotation marks.
  const role = everyone ? 'PUBLIC' : tokens.name()
  if (role === undefined) return undefined
  const grantOption = verb === 'GRANT' && tokens.words('with grant option') ? ' WITH GRANT OPTION' : ''
  return {
    sql: `${verb} ${option}${names.join(', ').toUpperCase()} ON DATABASE ${database} ${verb === 'GRANT' ? 'TO' : 'FROM'} ` +
      `${everyone ? role : identifier(role)}${grantOption}`,
    ...(!everyone && { role }),
  }
}

const PRIVILEGES = new Set(['all', 'create', 'connect', 'temporary', 'temp'])

/** Around privileges that another role than the owner gave. */
function grantor(tokens: Tokens): Made | undefined {
  if (tokens.words('reset session authorization')) return { sql: 'RESET SESSION AUTHORIZATION' }
  if (!tokens.words('set session authorization')) return undefined
  const role = tokens.name() ?? tokens.text()
  return role === undefined ? undefined : { sql: `SET LOCAL SESSION AUTHORIZATION ${identifier(role)}`, role }
}

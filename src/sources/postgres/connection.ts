import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { nearest } from '../../nearest.ts'

/** How client programs reach one database: libpq's settings, split so that no secret ever becomes an argument. */
export interface Connection {
  /** `PG*` variables for client programs, the password among them. */
  readonly environment: Readonly<Record<string, string>>
  /** A conninfo string for `--dbname`: settings that libpq has no variable for. Never contains a secret. */
  readonly parameters: string
  /** Undefined if it is not given: libpq then takes the user's name, or a service's entry. */
  readonly database: string | undefined
  /** `host:port`, for messages. */
  readonly server: string
  /** `host:port/database`, for messages. */
  readonly where: string
  /** Texts to mask: the URL, and the password, plain and percent-encoded. */
  readonly secrets: readonly string[]
}

// PostgreSQL 18, "Parameter Key Words" and "Environment Variables" of libpq.
const variableOf: Readonly<Record<string, string>> = {
  host: 'PGHOST', hostaddr: 'PGHOSTADDR', port: 'PGPORT', dbname: 'PGDATABASE', user: 'PGUSER', password: 'PGPASSWORD',
  passfile: 'PGPASSFILE', require_auth: 'PGREQUIREAUTH', channel_binding: 'PGCHANNELBINDING', service: 'PGSERVICE',
  servicefile: 'PGSERVICEFILE', options: 'PGOPTIONS', application_name: 'PGAPPNAME', sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION', sslcompression: 'PGSSLCOMPRESSION', sslcert: 'PGSSLCERT', sslkey: 'PGSSLKEY',
  sslcertmode: 'PGSSLCERTMODE', sslrootcert: 'PGSSLROOTCERT', sslcrl: 'PGSSLCRL', sslcrldir: 'PGSSLCRLDIR', sslsni: 'PGSSLSNI',
  requirepeer: 'PGREQUIREPEER', ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION', gssencmode: 'PGGSSENCMODE',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION', krbsrvname: 'PGKRBSRVNAME', gsslib: 'PGGSSLIB',
  gssdelegation: 'PGGSSDELEGATION', connect_timeout: 'PGCONNECT_TIMEOUT', client_encoding: 'PGCLIENTENCODING',
  target_session_attrs: 'PGTARGETSESSIONATTRS', load_balance_hosts: 'PGLOADBALANCEHOSTS',
  min_protocol_version: 'PGMINPROTOCOLVERSION', max_protocol_version: 'PGMAXPROTOCOLVERSION',
}
const withoutVariable = [
  'fallback_application_name', 'keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout',
  'oauth_issuer', 'oauth_client_id', 'oauth_scope',
]
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']
/** Secrets that libpq takes only from a conninfo string, which is an argument that every user of the machine can read. */
const refused: Readonly<Record<string, string>> = {
  sslpassword: 'Decrypt the key first (openssl pkey -in client.key -out plain.key) and give sslkey=plain.key.',
  scram_client_key: 'Use a password.', scram_server_key: 'Use a password.', oauth_client_secret: 'Use a password or a client certificate.',
  replication: 'Remove it: a dump needs an ordinary connection.',
  sslkeylogfile: 'Remove it: it writes the session keys to a file.',
}
/** A lost peer is noticed after two minutes; the default of the system is two hours. */
const keepalives = { keepalives_idle: '60', keepalives_interval: '10', keepalives_count: '6' }

/**
 * Reads a connection URL as libpq does (PostgreSQL documentation, "Connection URIs"); `PG*` of `variables` are the defaults. Throws
 * `LifeboatError` (status 2) for anything else; the message shows no part of the URL that could belong to a password.
 */
export function parseDatabaseUrl(url: string, variables: Variables = {}): Connection {
  const scheme = /^postgres(?:ql)?:\/\//.exec(url)
  if (!scheme) {
    const other = /^([a-z][a-z0-9+.-]{0,20}):\/\//i.exec(url)?.[1]
    throw wrong(other ? `${other}:// is not a PostgreSQL URL` : 'not a PostgreSQL URL')
  }
  const rest = url.slice(scheme[0].length)
  const [, user, password, hosts = '', path, query] = /^(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest)!
  // A later @ can mean that a password was not percent-encoded: then any piece may be part of the password, and none is shown.
  const quote = (name: string) => (query?.includes('@') || !resemblesParameter(name) ? '' : ` ${JSON.stringify(name)}`)
  if (`${hosts}${path}`.includes('@'))
    throw wrong('the user name or the password has an @ that is not written as %40, or another sign that is not encoded', encodeHint)

  const settings: Record<string, string> = {}
  const store = (name: string, text: string | undefined) => {
    if (text) settings[name] = decode(name, text)
  }
  store('user', user)
  store('password', password)
  const servers = parseHosts(hosts)
  store('host', servers.host)
  store('port', servers.port)
  store('dbname', path)
  for (const [name, value] of parseQuery(query, quote)) settings[name] = value
  if (!validPorts(settings.port)) throw wrong(`the port is not a number from 1 to 65535`, encodeHint)
  return connection(settings, variables, [url, ...(password ? [password] : [])])
}

/** The connection that only `PG*` variables describe, as `psql` without arguments would make it. */
export function connectionFromVariables(variables: Variables): Connection {
  if (!validPorts(variables.PGPORT))
    throw new LifeboatError(`PGPORT is ${JSON.stringify(variables.PGPORT)}, not a number from 1 to 65535`, { status: 2 })
  return connection({}, variables, [])
}

/** The same server and role, another database. */
export function onDatabase(connection: Connection, database: string): Connection {
  return {
    ...connection,
    environment: { ...connection.environment, PGDATABASE: database },
    parameters: `${connection.parameters} ${conninfo({ dbname: database })}`,
    database,
    where: `${connection.server}/${database}`,
  }
}

/** The same connection, whose sessions begin with these settings, whatever those of the server, the database and the role are. */
export function withOptions(connection: Connection, settings: readonly (readonly [name: string, value: string])[]): Connection {
  const options = settings.map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, '\\$&')}`)
  const PGOPTIONS = [connection.environment.PGOPTIONS ?? '', ...options].join(' ').trim()
  return { ...connection, environment: { ...connection.environment, PGOPTIONS } }
}

/**
 * The environment of a client program: variables that it needs to run and to connect, without the workflow's inputs and tokens.
 */
export function clientEnvironment(connection: Pick<Connection, 'environment'>, variables: Variables): Record<string, string> {
  const kept = Object.entries(variables).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(PATH|HOME|USER|LOGNAME|LANG|TZ|TMPDIR|LD_LIBRARY_PATH|SSL_\w+|OPENSSL_CONF|KRB5\w*)$/.test(entry[0]),
  )
  // LC_ALL: messages are parsed.
  return { ...Object.fromEntries(kept), ...connection.environment, LC_ALL: 'C' }
}

function connection(given: Record<string, string>, variables: Variables, secrets: string[]): Connection {
  const settings = { ...given }
  for (const [name, variable] of Object.entries(variableOf)) {
    const value = variables[variable]
    if (value && settings[name] === undefined) settings[name] = value
  }
  settings.connect_timeout ??= '15'
  // An entry of a service file overrides variables, but not the conninfo string: with a service, settings of the URL must be in that
  // string.
  const strings: Record<string, string> = settings.keepalives === undefined ? { ...keepalives } : {}
  const environment: Record<string, string> = {}
  if (variables.PGSYSCONFDIR) environment.PGSYSCONFDIR = variables.PGSYSCONFDIR
  for (const [name, value] of Object.entries(settings)) {
    const variable = variableOf[name]
    if (variable) environment[variable] = value
    if (
      !variable ||
      (settings.service !== undefined && given[name] !== undefined && !['password', 'service', 'servicefile'].includes(name))
    ) {
      strings[name] = value
    }
  }
  const server = shownServer(settings)
  const { password, dbname: database } = settings
  return {
    environment,
    parameters: conninfo(strings),
    database,
    server,
    where: `${server}${shownDatabase(settings)}`,
    secrets: [...new Set([...secrets, ...(password ? [password, encodeURIComponent(password)] : [])])],
  }
}

/** If no database is named, libpq takes the name of the user; a service's entry may have another. */
function shownDatabase({ dbname, user, service }: Record<string, string>): string {
  const name = dbname ?? (service === undefined ? user : undefined)
  return name === undefined ? ', the default database' : `/${name}`
}

function shownServer(settings: Record<string, string>): string {
  const hosts = settings.host ?? settings.hostaddr
  if (hosts === undefined) return settings.service === undefined ? `local socket:${settings.port ?? 5432}` : `service ${settings.service}`
  const ports = (settings.port ?? '').split(',')
  return hosts
    .split(',')
    .map((host, index) => `${host.includes(':') ? `[${host}]` : host || 'local socket'}:${ports[ports.length === 1 ? 0 : index] || 5432}`)
    .join(',')
}

function conninfo(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}='${value.replace(/[\\']/g, '\\$&')}'`)
    .join(' ')
}

type Quote = (text: string) => string

/** `host1:port1,[::1]:port2` to libpq's two lists. */
function parseHosts(text: string): { host: string; port: string } {
  const hosts: string[] = []
  const ports: string[] = []
  let at = 0
  for (;;) {
    const one = /^(?:\[([^\]]*)\]|([^:,[\]]*))(?::([^,]*))?(,|$)/.exec(text.slice(at))
    if (!one) throw wrong('the host cannot be read', 'Write an IPv6 address in brackets: postgres://user@[::1]:5432/app.')
    if (one[1] === '') throw wrong('the brackets of an IPv6 address are empty')
    hosts.push(one[1] ?? one[2] ?? '')
    ports.push(one[3] ?? '')
    at += one[0].length
    if (one[4] === '') break
  }
  return { host: hosts.join(','), port: ports.every((port) => port === '') ? '' : ports.join(',') }
}

function validPorts(ports: string | undefined): boolean {
  return (ports ?? '').split(',').every((port) => port === '' || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535))
}

function* parseQuery(query: string | undefined, quote: Quote): Generator<[string, string]> {
  for (const pair of query ? query.split('&') : []) {
    const parts = pair.split('=')
    const [rawName = '', rawValue] = parts
    const name = decode('a parameter name', rawName)
    if (rawValue === undefined) throw wrong(`the parameter${quote(name)} has no value`, 'Write ?name=value&name=value.')
    if (parts.length > 2) throw wrong(`the parameter${quote(name)} has more than one =`, 'Write %3D for an = inside a value.')
    if (name === 'ssl' && rawValue === 'true') {
      yield ['sslmode', 'require'] // libpq does the same, for URLs made for JDBC
      continue
    }
    if (Object.hasOwn(refused, name)) throw wrong(`the parameter ${name} cannot be used in a connection URL here`, refused[name])
    if (!Object.hasOwn(variableOf, name) && !withoutVariable.includes(name)) {
      throw wrong(`libpq has no connection parameter${quote(name)}`, instead(name, quote(name) !== ''))
    }
    const value = decode(name, rawValue)
    if (name === 'sslmode' && !SSL_MODES.includes(value))
      throw wrong(`sslmode is not one of ${SSL_MODES.join(', ')}`, 'Correct it in the URL.')
    yield [name, value]
  }
}

const bare = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '')

/** `similar`: whether the hint may tell what the name is similar to. */
function instead(name: string, similar: boolean): string {
  const parameters = [...Object.keys(variableOf), ...withoutVariable]
  const known = parameters.find((known) => bare(known) === bare(name)) ?? (similar ? misspelled(name, parameters) : undefined)
  return known
    ? `Did you mean ${known}?`
    : "Correct or remove it. Parameters of other drivers (schema, pgbouncer, pool_timeout) mean nothing to PostgreSQL's own programs."
}

/** A name that resembles no parameter may be the rest of a password that was not percent-encoded. */
function resemblesParameter(name: string): boolean {
  const parameters = [...Object.keys(variableOf), ...withoutVariable]
  if (parameters.some((known) => bare(known) === bare(name)) || ofOtherDrivers.test(name)) return true
  return /^[a-z_]+$/i.test(name) && misspelled(name, parameters) !== undefined
}

const ofOtherDrivers =
  /^(?:schema|search_path|pgbouncer|pool_timeout|connection_limit|pool_size|statement_cache_size|prepared_statements|uselibpqcompat)$/

/** A name that begins with ssl asks for encryption: to remove it would be wrong. */
function misspelled(name: string, parameters: readonly string[]): string | undefined {
  return nearest(name, parameters) ?? (/^ssl/i.test(name) ? 'sslmode' : undefined)
}

function decode(what: string, text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch (cause) {
    // The cause names no part of the text.
    throw new LifeboatError(`database URL: ${what} has a % that is not followed by the two hex digits of a UTF-8 byte`, {
      hint: 'Write %25 for a % itself.', cause, status: 2 })
  }
  if (decoded.includes('\0')) throw wrong(`${what} holds %00, which no PostgreSQL setting can`)
  if (/[\s]/.test(text)) throw wrong(`${what} holds white space`, 'Write %20 for a space.')
  return decoded
}

const encodeHint =
  'Percent-encode special characters of the user name and the password: %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %.'

function wrong(problem: string, hint = 'Write postgres://user:password@host:5432/database.'): LifeboatError {
  return new LifeboatError(`database URL: ${problem}`, { hint, status: 2 })
}

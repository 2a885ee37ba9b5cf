import * as fc from 'fast-check'
import { LifeboatError } from '../../../src/error.ts'
import { clientEnvironment, type Connection, connectionFromVariables, onDatabase, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'

const environmentOf = (url: string, variables = {}) => parseDatabaseUrl(url, variables).environment

function failure(run: () => unknown): LifeboatError {
  try {
    run()
  } catch (error) {
    if (error instanceof LifeboatError) return error
    throw error
  }
  throw new Error('no error was thrown')
}

// PostgreSQL documentation, "Connection URIs", and what libpq's own tests of it show.
test.each([
  ['postgres://', {}],
  ['postgresql://localhost', { PGHOST: 'localhost' }],
  ['postgresql://localhost:5433', { PGHOST: 'localhost', PGPORT: '5433' }],
  ['postgresql://localhost/mydb', { PGHOST: 'localhost', PGDATABASE: 'mydb' }],
  ['postgresql://user@localhost', { PGHOST: 'localhost', PGUSER: 'user' }],
  ['postgresql://user:secret@localhost', { PGHOST: 'localhost', PGUSER: 'user', PGPASSWORD: 'secret' }],
  ['postgresql://user:a:b@localhost', { PGHOST: 'localhost', PGUSER: 'user', PGPASSWORD: 'a:b' }],
  ['postgresql://:secret@localhost', { PGHOST: 'localhost', PGPASSWORD: 'secret' }],
  ['postgresql://user:@localhost/', { PGHOST: 'localhost', PGUSER: 'user' }],
  ['postgresql://user:p%40s%2Fs%25@h/db%20name', { PGHOST: 'h', PGUSER: 'user', PGPASSWORD: 'p@s/s%', PGDATABASE: 'db name' }],
  ['postgresql://host1:123,host2:456/db?target_session_attrs=any', { PGHOST: 'host1,host2', PGPORT: '123,456', PGDATABASE: 'db', PGTARGETSESSIONATTRS: 'any' }],
  ['postgresql://host1,host2:456/', { PGHOST: 'host1,host2', PGPORT: ',456' }],
  ['postgresql://[2001:db8::1234]/database', { PGHOST: '2001:db8::1234', PGDATABASE: 'database' }],
  ['postgresql://[::1]:5433,[::2]/', { PGHOST: '::1,::2', PGPORT: '5433,' }],
  ['postgresql:///mydb?host=localhost&port=5433', { PGHOST: 'localhost', PGPORT: '5433', PGDATABASE: 'mydb' }],
  ['postgresql:///dbname?host=/var/lib/postgresql', { PGHOST: '/var/lib/postgresql', PGDATABASE: 'dbname' }],
  ['postgresql://%2Fvar%2Flib%2Fpostgresql/dbname', { PGHOST: '/var/lib/postgresql', PGDATABASE: 'dbname' }],
  ['postgresql://?host=h&user=u&password=p&dbname=d', { PGHOST: 'h', PGUSER: 'u', PGPASSWORD: 'p', PGDATABASE: 'd' }],
  ['postgresql://h/d?dbname=other', { PGHOST: 'h', PGDATABASE: 'other' }],
  ['postgresql://h?sslmode=verify-full&sslrootcert=/ca.pem', { PGHOST: 'h', PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/ca.pem' }],
  ['postgresql://h?ssl=true', { PGHOST: 'h', PGSSLMODE: 'require' }],
  ['postgresql://h?options=-c%20search_path%3Da,b&connect_timeout=3', { PGHOST: 'h', PGOPTIONS: '-c search_path=a,b', PGCONNECT_TIMEOUT: '3' }],
])('%s is read as libpq reads it', (url, expected) => {
  expect(environmentOf(url)).toEqual({ PGCONNECT_TIMEOUT: '15', ...expected })
})

test('parameters without a variable go into the conninfo string, quoted', () => {
  const { parameters } = parseDatabaseUrl(`postgres://h/d?keepalives_idle=5&tcp_user_timeout=9&fallback_application_name=it's%20\\me`)
  expect(parameters).toContain(`keepalives_idle='5'`)
  expect(parameters).toContain(`tcp_user_timeout='9'`)
  expect(parameters).toContain(String.raw`fallback_application_name='it\'s \\me'`)
})

test('a peer that vanishes is noticed within minutes unless the URL says otherwise', () => {
  expect(parseDatabaseUrl('postgres://h').parameters).toBe(`keepalives_idle='60' keepalives_interval='10' keepalives_count='6'`)
  expect(parseDatabaseUrl('postgres://h?keepalives=0').parameters).toBe(`keepalives='0'`)
})

test('variables apply where the URL is silent', () => {
  const variables = { PGHOST: 'other', PGUSER: 'me', PGPASSWORD: 'pw', PGSSLMODE: 'require', GITHUB_TOKEN: 'x' }
  expect(environmentOf('postgres://h/d', variables)).toEqual({
    PGHOST: 'h', PGDATABASE: 'd', PGUSER: 'me', PGPASSWORD: 'pw', PGSSLMODE: 'require', PGCONNECT_TIMEOUT: '15' })
})

test('beside a service, what the URL says goes where it outranks the service, and the password does not', () => {
  const { environment, parameters } = parseDatabaseUrl('postgres://u:secret@h/d', { PGSERVICE: 'prod' })
  expect(parameters).toContain(`host='h'`)
  expect(parameters).toContain(`dbname='d'`)
  expect(parameters).not.toContain('secret')
  expect(environment).toMatchObject({ PGSERVICE: 'prod', PGPASSWORD: 'secret' })
})

test('variables alone are a connection', () => {
  const connection = connectionFromVariables({ PGHOST: '/run/postgresql', PGDATABASE: 'app', PGPASSWORD: 'a b' })
  expect(connection).toMatchObject({ database: 'app', where: '/run/postgresql:5432/app', secrets: ['a b', 'a%20b'] })
  expect(failure(() => connectionFromVariables({ PGPORT: '54x' })).message).toBe('PGPORT is "54x", not a number from 1 to 65535')
})

test.each([
  ['postgres://u:p@h:6432/app', 'h:6432/app'],
  ['postgres://u:p@a,b:2/app', 'a:5432,b:2/app'],
  ['postgres://u:p@[::1]/app', '[::1]:5432/app'],
  ['postgres:///app', 'local socket:5432/app'],
  ['postgres://h', 'h:5432, the default database'],
  ['postgres://me@h', 'h:5432/me'],
  ['postgres:///?service=prod', 'service prod, the default database'],
])('%s is called %s in messages', (url, where) => {
  expect(parseDatabaseUrl(url).where).toBe(where)
})

test('the same connection on another database', () => {
  const other = onDatabase(parseDatabaseUrl('postgres://u:p@h/app'), `o'ther`)
  expect(other.environment.PGDATABASE).toBe(`o'ther`)
  expect(other.parameters).toContain(String.raw`dbname='o\'ther'`)
  expect(other).toMatchObject({ database: `o'ther`, where: `h:5432/o'ther` })
})

test('the whole URL and the password, as written, decoded and encoded again, are secrets', () => {
  const url = 'postgres://u:p%40%61ss@h/d'
  expect(parseDatabaseUrl(url).secrets).toEqual([url, 'p%40%61ss', 'p@ass', 'p%40ass'])
  expect(parseDatabaseUrl('postgres://h/d?password=x%2Fy').secrets).toContain('x/y')
})

test.each([
  ['mysql://u:hunter2@h/d', /^database URL: mysql:\/\/ is not a PostgreSQL URL$/],
  ['h:5432/d', /^database URL: not a PostgreSQL URL$/],
  ['', /^database URL: not a PostgreSQL URL$/],
  ['postgres://u:hunter2@h:70000/d', /the port is not a number from 1 to 65535/],
  ['postgres://u:hunter2@h:0/d', /the port is not a number/],
  ['postgres://u:hunter2@h:54a/d', /the port is not a number/],
  ['postgres://u:hunter2%zz@h/d', /password has a % that is not followed/],
  ['postgres://u:hunter2%@h/d', /password has a % that is not followed/],
  ['postgres://u:hunter2%ff@h/d', /password has a % that is not followed/],
  ['postgres://u:hunter2%00@h/d', /password holds %00/],
  ['postgres://u:hunter2@h/d d', /dbname holds white space/],
  ['postgres://u:hunter2@[::1/d', /the host cannot be read/],
  ['postgres://u:hunter2@[]/d', /brackets of an IPv6 address are empty/],
  ['postgres://u:hunter2@h/d?pgbouncer=true', /libpq has no connection parameter "pgbouncer"/],
  ['postgres://u:hunter2@h/d?sslMode=require', /libpq has no connection parameter "sslMode"/],
  ['postgres://u:hunter2@h/d?sslmode', /the parameter "sslmode" has no value/],
  ['postgres://u:hunter2@h/d?sslmode=a=b', /the parameter "sslmode" has more than one =/],
  ['postgres://u:hunter2@h/d?sslpassword=hunter2', /the parameter sslpassword cannot be used/],
  ['postgres://u:pass@hunter2@h/d', /the user name or the password has an @ that is not written as %40/],
  ['postgres://u@h/d?sslmode=hunter2', /sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full/],
  ['postgres://u:hunter2/db', /^database URL: the port is not a number from 1 to 65535$/],
  ['postgresql://u@h:hunter2/db', /^database URL: the port is not a number from 1 to 65535$/],
  ['postgresql://u:hunter2]/db', /^database URL: the port is not a number from 1 to 65535$/],
  ['postgres://u@h/d?password=Zk9q&hunter2', /^database URL: the parameter has no value$/],
  ['postgres://u@h/d?password=Zk9q&hunter2=a=b', /^database URL: the parameter has more than one =$/],
  ['postgres://u@h/d?password=Zk9q&hunter2=x', /^database URL: libpq has no connection parameter$/],
  ['postgres://u:12/hunter2@h/d', /has an @ that is not written as %40/],
])('%s is refused with a message that shows no secret', (url, message) => {
  const error = failure(() => parseDatabaseUrl(url))
  expect(error.message).toMatch(message)
  expect(`${error.message} ${error.hint}`).not.toContain('hunter2')
  expect(error.status).toBe(2)
})

test.each(['sslMode=require', 'sslmod=require', 'ssl_mode=require', 'ssl=require'])('%s, a misspelled parameter, is named with the right one', (query) => {
  expect(failure(() => parseDatabaseUrl(`postgres://h?${query}`)).hint).toBe('Did you mean sslmode?')
})

test.each(['schema', 'pgbouncer', 'pool_timeout', 'statement_timeout'])('%s, a parameter of other drivers, is not taken for one of libpq', (name) => {
  expect(failure(() => parseDatabaseUrl(`postgres://h?${name}=1`)).hint).toMatch(/^Correct or remove it\./)
})

test('a text that may be a part of a password is compared with no parameter', () => {
  expect(failure(() => parseDatabaseUrl('postgres://h/d?sslmod=x@y')).hint).toMatch(/^Correct or remove it\./)
})

test('client programs see what they need and nothing of the workflow', () => {
  const connection = parseDatabaseUrl('postgres://u:p@h/d')
  const variables = {
    PATH: '/bin', HOME: '/root', SSL_CERT_FILE: '/ca', KRB5CCNAME: 'k', LC_ALL: 'de_DE', 'INPUT_ENCRYPTION-KEY': 'x', LIFEBOAT_ENCRYPTION_KEY: 'x',
    ACTIONS_RUNTIME_TOKEN: 'x', GITHUB_TOKEN: 'x', AWS_SECRET_ACCESS_KEY: 'x', PGPASSWORD: 'of another', NODE_OPTIONS: 'x' }
  expect(clientEnvironment(connection, variables)).toEqual({
    PATH: '/bin', HOME: '/root', SSL_CERT_FILE: '/ca', KRB5CCNAME: 'k', LC_ALL: 'C',
    PGUSER: 'u', PGPASSWORD: 'p', PGHOST: 'h', PGDATABASE: 'd', PGCONNECT_TIMEOUT: '15' })
})

describe('any URL', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed() && !text.includes('\0'))
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6().map((ip) => `[${ip}]`))

  test('built from its parts gives the parts back', () => {
    fc.assert(
      fc.property(text, text, fc.array(fc.tuple(host, fc.integer({ min: 1, max: 65535 })), { minLength: 1, maxLength: 3 }), text, text, (user, password, hosts, database, options) => {
        const servers = hosts.map(([host, port]) => `${host}:${port}`).join(',')
        const url = `postgres://${[user, password].map(encodeURIComponent).join(':')}@${servers}/${encodeURIComponent(database)}?options=${encodeURIComponent(options)}`
        expect(environmentOf(url)).toEqual({
          PGUSER: user, PGPASSWORD: password, PGDATABASE: database, PGOPTIONS: options, PGCONNECT_TIMEOUT: '15',
          PGHOST: hosts.map(([host]) => host.replaceAll(/[[\]]/g, '')).join(','), PGPORT: hosts.map(([, port]) => port).join(',') })
      }),
    )
  })

  test('of garbage throws nothing but LifeboatError', () => {
    const garbage = fc.string({ unit: fc.constantFrom(...'a b 1 : @ / ? & = % , [ ] # + . é \0 host sslmode %41 %zz ://'.split(' '), ' '), maxLength: 30 })
    fc.assert(
      fc.property(garbage, (rest) => {
        const connection = attempt(`postgres://${rest}`)
        if (connection instanceof LifeboatError) expect(connection.status).toBe(2)
      }),
      { numRuns: 2000 },
    )
  })

  test('never shows its password, however badly it is written', () => {
    const marker = 'hunter2'
    const piece = fc.string({ unit: fc.constantFrom(...'a b 1 : @ / ? & = % , [ ] # .'.split(' '), ' '), maxLength: 6 })
    fc.assert(
      fc.property(piece, piece, fc.constantFrom('h', 'h:1', 'h:x', '[::1', ''), fc.constantFrom('', '/d', '/d?sslmode=require', '/d?x=y', '?a=b=c'), (before, after, host, end) => {
        const result = attempt(`postgres://user:${before}${marker}${after}@${host}${end}`)
        const shown = result instanceof LifeboatError ? `${result.message} ${result.hint} ${String(result.cause)}` : `${result.where} ${result.parameters}`
        expect(shown).not.toContain(marker)
      }),
      { numRuns: 3000 },
    )
  })
})

function attempt(url: string): Connection | LifeboatError {
  try {
    return parseDatabaseUrl(url)
  } catch (error) {
    if (error instanceof LifeboatError) return error
    throw error
  }
}

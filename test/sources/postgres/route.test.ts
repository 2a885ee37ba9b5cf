import { LifeboatError } from '../../../src/error.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { connectionFailed } from '../../../src/sources/postgres/errors.ts'
import { byLoopback, serversOf } from '../../../src/sources/postgres/route.ts'

test.each([
  ['postgres://u@db.internal/app', {}, [['db.internal', 5432]]],
  ['postgres://u@db.internal:6000/app', {}, [['db.internal', 6000]]],
  ['postgres://u@[2001:db8::7]:5433/app', {}, [['2001:db8::7', 5433]]],
  ['postgres://u@one:1,two,three:3/app', {}, [['one', 1], ['two', 5432], ['three', 3]]],
  ['postgres://u@one,two/app?port=7', {}, [['one', 7], ['two', 7]]],
  ['postgres:///app', { PGHOST: 'db.internal', PGPORT: '7000' }, [['db.internal', 7000]]],
  // The servers that are connected to; the host is then only the name of a certificate.
  ['postgres://u@db.example.com/app?hostaddr=10.0.0.7', {}, [['10.0.0.7', 5432]]],
])('%s with %p leads to %p', (url, variables, servers) => {
  expect(serversOf(parseDatabaseUrl(url, variables)).map(({ host, port }) => [host, port])).toEqual(servers)
})

test.each([
  ['postgres:///app', {}],
  ['postgres://u@/app?host=/run/postgresql', {}],
  ['postgres://u@one,/app', {}],
  ['postgres://u@db.internal/app', { PGSERVICE: 'prod' }],
  ['postgres://u@a%20b/app', {}],
])('%s with %p cannot be reached by a tunnel', (url, variables) => {
  const servers = () => serversOf(parseDatabaseUrl(url, variables))
  expect(servers).toThrow(LifeboatError)
  expect(servers).toThrow('cannot be reached by ssh-tunnel')
})

test('the connection keeps its host, and messages name it', () => {
  const connection = parseDatabaseUrl('postgres://u@one:1,two:2/app')
  const changed = byLoopback(connection, [40001, 40002])
  expect(changed.parameters).toBe(`${connection.parameters} hostaddr='127.0.0.1,127.0.0.1' port='40001,40002'`)
  expect(changed).toMatchObject({ environment: { PGHOST: 'one,two' }, where: 'one:1,two:2/app' })
})

test('errors of a connection are distinguished from others', () => {
  expect(connectionFailed(new LifeboatError('the connection to db was cut', { cause: new Error('server closed the connection unexpectedly') }))).toBe(true)
  expect(connectionFailed(new LifeboatError('dumping db: pg_dump ended with exit status 1\npg_dump: error: SSL SYSCALL error: EOF detected'))).toBe(true)
  expect(connectionFailed(new LifeboatError('permission denied for table orders', { cause: new Error('ERROR:  permission denied for table orders') }))).toBe(false)
  expect(connectionFailed('text')).toBe(false)
})

import { LifeboatError } from '../../../src/error.ts'
import type { Client } from '../../../src/sources/postgres/clients.ts'
import { anyClient, dumpClient, type Provide, providerOf, restoreClient } from '../../../src/sources/postgres/client-download/choose.ts'

const client = (major: number): Client => ({ major, directory: `/usr/lib/postgresql/${major}/bin` })
const fetched = (major: number): Client => ({ major, directory: `/tools/${major}/bin` })
const asked: (number | 'newest')[] = []
const provide: Provide = (major) => {
  asked.push(major)
  return Promise.resolve(fetched(major === 'newest' ? 18 : major))
}
const refuse: Provide = () => Promise.reject(new LifeboatError('the archive burns'))

beforeEach(() => void asked.splice(0))

test('an installed client of the right major is taken, and nothing is fetched', async () => {
  expect(await dumpClient([client(18), client(17)], 17, provide)).toEqual({ client: client(17) })
  expect(await restoreClient([client(18), client(17)], 15, 17, provide)).toEqual({ client: client(17) })
  expect(await anyClient([client(15)], provide)).toEqual(client(15))
  expect(asked).toEqual([])
})

test.each([
  ['older', [client(15)]],
  ['newer', [client(18)]],
  ['absent', []],
])('where the installed client is %s, that of the server is fetched for a dump', async (_, clients) => {
  expect(await dumpClient(clients, 17, provide)).toEqual({ client: fetched(17) })
})

test('for a restore that of the target is fetched, or that of the dump if it is newer', async () => {
  expect(await restoreClient([client(15)], 15, 17, provide)).toEqual({ client: fetched(17) })
  expect(await restoreClient([client(15)], 17, 15, provide)).toMatchObject({ client: fetched(17), warning: 'restoring into a PostgreSQL 15 server with pg_restore 17' })
})

test('to read an archive any client that can is good enough', async () => {
  expect(await restoreClient([client(18)], 17, undefined, provide)).toEqual({ client: client(18) })
  expect(asked).toEqual([])
  expect(await restoreClient([client(15)], 17, undefined, provide)).toEqual({ client: fetched(17) })
})

test('on a machine without any client the newest is fetched', async () => {
  expect(await anyClient([], provide)).toEqual(fetched(18))
  await expect(anyClient([])).rejects.toThrow('no PostgreSQL client programs')
})

test('when nothing can be fetched, what is installed and will do is used with a warning, and else the error has both reasons', async () => {
  const choice = await dumpClient([client(18)], 17, refuse)
  expect(choice.client).toEqual(client(18))
  expect(choice.warning).toMatch(/^dumping a PostgreSQL 17 server with pg_dump 18: .*; the archive burns$/)
  await expect(dumpClient([client(15)], 17, refuse)).rejects.toThrow(/^the server is PostgreSQL 17, and no pg_dump here is that new: .*; the archive burns$/)
})

test('an interruption or a fault is not a refusal, and is thrown unchanged', async () => {
  const fault = new TypeError('a fault')
  await expect(dumpClient([client(18)], 17, () => Promise.reject(fault))).rejects.toBe(fault)
})

test('nothing is fetched where that is not wanted', async () => {
  await expect(dumpClient([client(15)], 17)).rejects.toThrow('no pg_dump here is that new')
})

test('one run tries each major once', async () => {
  const warnings: string[] = []
  const { signal } = new AbortController()
  const provide = providerOf({
    variables: { PATH: '' }, signal, temporary: '/nowhere', now: () => new Date(),
    report: { info: () => undefined, warning: (message) => void warnings.push(message), progress: () => undefined, mask: () => undefined },
  })
  const first = provide(17)
  expect(provide(17)).toBe(first)
  await expect(first).rejects.toThrow('neither apt nor docker')
})

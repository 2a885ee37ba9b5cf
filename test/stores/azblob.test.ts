import { once } from 'node:events'
import { createServer } from 'node:http'
import { BlobServiceClient, ContainerSASPermissions, generateBlobSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import { z } from 'zod'
import { LifeboatError } from '../../src/error.ts'
import { federatedToken } from '../../src/stores/azblob/identity.ts'
import { openAzblob } from '../../src/stores/azblob/store.ts'
import { type AzblobDestination, parseAzblob } from '../../src/stores/azblob/destination.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE } from '../support/bytes.ts'
import { type Azurite, startAzurite } from '../support/github/azurite.ts'
import { quiet } from '../support/quiet.ts'
import { storeContract } from './contract.ts'
import { type FaultyPlace, httpFaults, type Patience, tcpFaults } from './remote-faults.ts'

const ACCOUNT = 'devstoreaccount1'
let azurite: Azurite
beforeAll(async () => {
  azurite = await startAzurite()
})
afterAll(() => azurite.stop())

let containers = 0
async function newContainer(): Promise<string> {
  const name = `container-${++containers}`
  await new BlobServiceClient(`${azurite.url}/${ACCOUNT}`, new StorageSharedKeyCredential(ACCOUNT, azurite.key)).createContainer(name)
  return name
}

function destinationOf(path: string, more = `&account-key=${encodeURIComponent(azurite.key)}`, port = new URL(azurite.url).port): AzblobDestination {
  return parseAzblob(`azblob://${ACCOUNT}/${path}?endpoint=http://127.0.0.1:${port}/${ACCOUNT}${more}`)
}

const PATIENT = { timeout: 30_000, pause: 20, signal: new AbortController().signal }
const open = (destination: AzblobDestination, patience: Patience = PATIENT, variables: Record<string, string> = {}) => openAzblob(destination, { ...patience, variables, report: quiet })

storeContract('a container', async () => {
  const destination = destinationOf(`${await newContainer()}/a/part`)
  const store = open(destination)
  return { store, reopen: async () => open(destination), close: () => store.close() }
}, { many: 1100 })

const faultyContainer = async (): Promise<FaultyPlace> => {
  const container = await newContainer()
  return { port: Number(new URL(azurite.url).port), open: async (port, patience) => open(destinationOf(container, undefined, `${port}`), patience), close: async () => undefined }
}
tcpFaults('a container', faultyContainer)
httpFaults('a container', { checksums: true }, faultyContainer)

async function failure(work: Promise<unknown> | (() => unknown)): Promise<LifeboatError> {
  try {
    await (typeof work === 'function' ? work() : work)
  } catch (error) {
    if (error instanceof LifeboatError) return error
    throw error
  }
  throw new Error('it did not fail')
}

const uses = async (destination: AzblobDestination, variables: Record<string, string>): Promise<void> => {
  const store = open(destination, PATIENT, variables)
  await store.put('object', Buffer.from('x'))
  expect((await store.get('object', ANY_SIZE)).toString()).toBe('x')
  expect(await all(store.list(''))).toHaveLength(1)
  await store.delete('object')
}

describe('credentials', () => {
  let container: string
  beforeAll(async () => {
    container = await newContainer()
  })
  const signature = (letters: string, expires = new Date(Date.now() + 3_600_000)): string =>
    generateBlobSASQueryParameters({ containerName: container, permissions: ContainerSASPermissions.parse(letters), expiresOn: expires }, new StorageSharedKeyCredential(ACCOUNT, azurite.key)).toString()

  test('a key, a signature or a connection string, of the environment', async () => {
    const destination = destinationOf(container, '')
    await uses(destination, { AZURE_STORAGE_KEY: azurite.key })
    await uses(destination, { AZURE_STORAGE_SAS_TOKEN: `?${signature('rcwdl')}` })
    await uses(destination, { AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${azurite.key};BlobEndpoint=${azurite.url}/${ACCOUNT};` })
  })

  test('a signature in the destination, as the portal gives it', () => uses(destinationOf(container, `&${signature('rcwdl')}`), {}))

  test('their secret parts are masked', () => {
    const masked: string[] = []
    const text = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${azurite.key};BlobEndpoint=${azurite.url}/${ACCOUNT};`
    openAzblob(destinationOf(container, ''), { ...PATIENT, variables: { AZURE_STORAGE_CONNECTION_STRING: text }, report: { ...quiet, mask: (secret) => void masked.push(secret) } })
    expect(masked).toEqual([text, azurite.key])
  })

  test('none, and those that are wrong, are one clear error', async () => {
    const none = await failure(() => open(destinationOf(container, '')))
    expect(none.message).toBe(`there are no credentials for ${destinationOf(container, '').text}`)
    expect(none.hint).toContain('AZURE_STORAGE_KEY')
    const wrong = await failure(open(destinationOf(container, `&account-key=${Buffer.from('wrong').toString('base64')}`)).get('x', ANY_SIZE))
    expect(wrong.message).toMatch(/^cannot get x from azblob:.*AuthorizationFailure|AuthenticationFailed/)
    expect(wrong.hint).toMatch(/./)
    const unreadable = await failure(() => open(destinationOf(container, ''), PATIENT, { AZURE_STORAGE_CONNECTION_STRING: 'hunter22' }))
    expect(unreadable.message).not.toContain('hunter22')
    const other = await failure(() => open(destinationOf(container, ''), PATIENT, { AZURE_STORAGE_CONNECTION_STRING: 'DefaultEndpointsProtocol=https;AccountName=other;AccountKey=aGVsbG8=;EndpointSuffix=core.windows.net' }))
    expect(other.message).toContain('is not of the account of')
  })

  test.each([
    ['list', 'rcwd', (store: Store) => all(store.list(''))],
    ['put', 'rdl', (store: Store) => store.put('object', Buffer.from('x'))],
    ['delete', 'rcwl', (store: Store) => store.delete('object')],
    ['get', 'cwdl', (store: Store) => store.get('object', ANY_SIZE)],
  ])('without the permission to %s, the error says so, and nothing is tried again', async (operation, letters, work) => {
    await open(destinationOf(container)).put('object', Buffer.from('x'))
    const error = await failure(work(open(destinationOf(container, `&${signature(letters)}`))))
    expect(error.message).toMatch(/^cannot .*: AuthorizationPermissionMismatch/)
    expect(error.hint).toContain(`the permission to ${operation === 'put' ? 'create and write' : operation === 'get' ? 'read' : operation}`)
  })

  test('a signature that has expired, and a container that is not there, are one clear error', async () => {
    const expired = await failure(all(open(destinationOf(container, `&${signature('rcwdl', new Date(Date.now() - 60_000))}`)).list('')))
    expect(expired.hint).toContain('expired')
    for (const work of [(store: Store) => store.get('x', ANY_SIZE), (store: Store) => store.put('x', Buffer.from('x')), (store: Store) => all(store.list('')), (store: Store) => store.delete('x')]) {
      const error = await failure(work(open(destinationOf('not-there'))))
      expect(error.message).toContain('ContainerNotFound')
      expect(error.hint).toContain('Make the container first')
    }
  })
})

test('the identity of a job is exchanged for a token, which is used until it runs out and asked for once', async () => {
  const masked: string[] = []
  const exchanged: string[] = []
  let given = 0
  const answers = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      exchanged.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''} ${Buffer.concat(pieces).toString()}`)
      response.end(JSON.stringify(request.url!.startsWith('/job') ? { value: 'token-of-the-job' } : { access_token: `token-of-storage-${++given}`, expires_in: given === 1 ? 3600 : 0 }))
    })
  }).listen(0, '127.0.0.1')
  await once(answers, 'listening')
  const { port } = z.object({ port: z.number() }).parse(answers.address())
  const variables = {
    AZURE_CLIENT_ID: 'client', AZURE_TENANT_ID: 'tenant', AZURE_AUTHORITY_HOST: `http://127.0.0.1:${port}/`,
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/job?v=1`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer',
  }
  const token = federatedToken({ ...PATIENT, variables, mask: (secret) => void masked.push(secret) })!
  expect(await Promise.all([token(), token()])).toEqual(['token-of-storage-1', 'token-of-storage-1'])
  expect(await token()).toBe('token-of-storage-1')
  expect(exchanged).toEqual([
    'GET /job?v=1&audience=api%3A%2F%2FAzureADTokenExchange Bearer bearer ',
    'POST /tenant/oauth2/v2.0/token  client_id=client&scope=https%3A%2F%2Fstorage.azure.com%2F.default&grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=token-of-the-job',
  ])
  expect(masked).toEqual(['token-of-the-job', 'token-of-storage-1'])
  answers.close()
})

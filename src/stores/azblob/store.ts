import { createHash } from 'node:crypto'
import {
  AnonymousCredential,
  BlobServiceClient,
  type ContainerClient,
  newPipeline,
  type RestError,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { federatedToken } from './identity.ts'
import { maximum, Requests } from './requests.ts'
import type { AzblobDestination } from './destination.ts'
import { TooLong } from '../../net/http.ts'
import type { StoreEnvironment } from '../kind.ts'
import { Attempts, type AttemptOptions } from '../attempts.ts'
import { Transient } from '../../net/retry.ts'
import { type Operation, operationText } from '../operation.ts'
import { checkKey, type GetOptions, isKey, NotFound, type Store, type StoredObject, tooLarge } from '../store.ts'

/** A store in a container of Azure Blob Storage. Each object is one put of a block blob, so that it is there as a whole or not. */
class AzblobStore implements Store {
  readonly name: string
  readonly #prefix: string
  readonly #container: ContainerClient
  readonly #attempts: Attempts

  constructor(destination: AzblobDestination, container: ContainerClient, options: AttemptOptions) {
    this.name = destination.text
    this.#prefix = destination.prefix
    this.#container = container
    this.#attempts = new Attempts(options)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const blob = this.#container.getBlockBlobClient(this.#prefix + checkKey(key))
    // Kept by the service for those who read.
    const blobContentMD5 = createHash('md5').update(bytes).digest()
    await this.#try('put', key, async () => {
      const { contentMD5: arrived } = await blob.upload(bytes, bytes.length, { blobHTTPHeaders: { blobContentMD5 } })
      if (arrived && !blobContentMD5.equals(arrived)) throw new Transient('other bytes arrived than were sent')
    })
  }

  async get(key: string, most: number, { authenticated = false }: GetOptions = {}): Promise<Buffer> {
    const blob = this.#container.getBlobClient(this.#prefix + checkKey(key))
    return this.#try('get', key, async () => {
      const { readableStreamBody, contentMD5 } = await maximum
        .run(most, () => blob.download(0, undefined, { maxRetryRequests: 0 }))
        .catch((error: unknown) => {
          throw error instanceof TooLong ? tooLarge(most, key, this.name) : error
        })
      const pieces: Buffer[] = []
      for await (const piece of readableStreamBody ?? []) pieces.push(Buffer.from(piece))
      const bytes = Buffer.concat(pieces)
      if (!authenticated && contentMD5 && !createHash('md5').update(bytes).digest().equals(contentMD5)) {
        throw new Transient('its bytes are not those of its checksum')
      }
      return bytes
    })
  }

  async head(key: string): Promise<StoredObject> {
    const blob = this.#container.getBlobClient(this.#prefix + checkKey(key))
    return this.#try('head', key, async () => {
      const { contentLength: size, lastModified: modified } = await blob.getProperties()
      if (size === undefined || modified === undefined) throw new Transient('the service does not tell its size and time')
      return { key, size, modified }
    })
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    let token: string | undefined
    do {
      const { segment, continuationToken } = await this.#page(prefix, token)
      for (const { name, properties } of segment.blobItems) {
        const key = name.slice(this.#prefix.length)
        if (isKey(key)) yield { key, size: properties.contentLength ?? 0, modified: properties.lastModified }
      }
      token = continuationToken
    } while (token)
  }

  async #page(prefix: string, continuationToken: string | undefined) {
    return this.#try('list', '', async () => {
      const { value } = await this.#container
        .listBlobsFlat({ prefix: this.#prefix + prefix })
        .byPage({ maxPageSize: 5000, continuationToken })
        .next()
      if (!value) throw new Transient('the service does not answer with a listing')
      return value
    })
  }

  async delete(key: string): Promise<void> {
    const blob = this.#container.getBlobClient(this.#prefix + checkKey(key))
    await this.#try('delete', key, async () => {
      try {
        await blob.delete()
      } catch (error) {
        if (!isAbsent(error)) throw error
      }
    })
  }

  async close(): Promise<void> {}

  async #try<T>(operation: Operation, key: string, attempt: () => Promise<T>): Promise<T> {
    const what = operationText(operation, key, this.name)
    return this.#attempts.try(
      what,
      async () => {
        try {
          return await attempt()
        } catch (error) {
          if (isAbsent(error) && operation !== 'list') throw new NotFound(key, this.name, { cause: error })
          throw explained(error, operation, what)
        }
      },
      { upload: operation === 'put' },
    )
  }
}

const LETTERS: Record<Operation, string> = {
  put: 'create and write (sp=cw)',
  get: 'read (sp=r)',
  head: 'read (sp=r)',
  list: 'list (sp=l)',
  delete: 'delete (sp=d)',
}

const HINTS: Readonly<Record<string, string>> = {
  ContainerNotFound: 'Make the container first, or correct its name in the destination.',
  ContainerBeingDeleted: 'Someone deletes the container: make another, or wait until it is gone.',
  AuthenticationFailed:
    'The key or the shared access signature is wrong or has expired, or the clock of this machine differs from that of the service by ' +
      'more than a quarter of an hour.',
  InvalidAuthenticationInfo: 'The key or the shared access signature is not well-formed, or the token is of another tenant.',
  NoAuthenticationInformation:
    'Give the credentials: AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or a federated identity ' +
      '(docs/stores.md).',
  PublicAccessNotPermitted:
    'Give the credentials: AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or a federated identity ' +
      '(docs/stores.md).',
  KeyBasedAuthenticationNotPermitted: 'The account takes no keys: use a federated identity (docs/stores.md).',
  AuthorizationFailure:
    'The key is wrong, or the shared access signature has expired or does not allow this; or the firewall of the storage account keeps ' +
      'this machine out.',
  BlobArchived: 'It is in the archive tier, which cannot be read at once: move the blobs to another tier first.',
  BlobImmutableDueToPolicy: 'An immutability policy or a legal hold keeps it; it can be deleted when that ends.',
  AccountIsDisabled: 'The storage account is disabled.',
}

function isAbsent(error: unknown): boolean {
  const { code, status } = toldBy(error)
  return status === 404 && ['BlobNotFound', 'ResourceNotFound', ''].includes(code)
}

function explained(error: unknown, operation: Operation, what: string): unknown {
  const { code, status, message } = toldBy(error)
  if (status === 0) return error
  // Bytes that were changed on their way.
  if (code === 'Md5Mismatch') return new Transient(code, { cause: error })
  const permission =
    `Give the credentials the permission to ${LETTERS[operation]} in the container, ` +
    'or the role Storage Blob Data Contributor.'
  const hint = HINTS[code] ?? (status === 403 || status === 401 ? permission : 'Check account, container and endpoint of the destination.')
  return new LifeboatError(`cannot ${what}: ${code || `status ${status}`}${message && `: ${message}`}`, { cause: error, hint })
}

/** The words of the service; the status is 0 if it did not answer. */
function toldBy(error: unknown): { code: string; status: number; message: string } {
  if (!(error instanceof Error) || error.name !== 'RestError' || !('statusCode' in error)) return { code: '', status: 0, message: '' }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the name says so; there are several copies of the class
  const { code, statusCode = 0, response, message } = error as RestError
  // The rest of the message is the request's id and headers.
  return {
    code: response?.headers.get('x-ms-error-code') ?? code ?? '',
    status: statusCode,
    message: /^[\w .,:;'"()/-]*/.exec(message.split('\n')[0]!)![0],
  }
}

/** Nothing is asked of the service yet. Throws when there are no credentials. */
export function openAzblob(
  destination: AzblobDestination,
  options: Pick<StoreEnvironment, 'variables' | 'signal' | 'report'> & AttemptOptions,
): AzblobStore {
  const { variables, signal, report, timeout } = options
  const access = accessTo(destination, variables)
  for (const secret of access.secrets) report.mask(secret)
  const token =
    access.kind === 'identity' ? federatedToken({ variables, signal, timeout, mask: (secret) => report.mask(secret) }) : undefined
  if (access.kind === 'identity' && token === undefined) {
    throw new LifeboatError(`there are no credentials for ${destination.text}`, { hint: HINTS['NoAuthenticationInformation'] })
  }
  const pipeline = { httpClient: new Requests({ signal, silence: timeout / 5, token }), retryOptions: { maxTries: 1 } }
  const service = serviceOf(destination, access, pipeline)
  return new AzblobStore(destination, service.getContainerClient(destination.container), options)
}

type Credentials = { secrets: string[] } & (
  | { kind: 'key'; key: string }
  | { kind: 'sas'; sas: string }
  | { kind: 'connection'; text: string }
  | { kind: 'identity' }
)

/** The credentials in the destination take precedence over the variables that Azure's own tools know. */
function accessTo({ key, sas }: AzblobDestination, variables: Variables): Credentials {
  const { AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING } = variables
  if (key !== undefined) return { kind: 'key', key, secrets: [key] }
  if (sas !== undefined) return { kind: 'sas', sas, secrets: [sas] }
  if (AZURE_STORAGE_CONNECTION_STRING) {
    const parts = [...AZURE_STORAGE_CONNECTION_STRING.matchAll(/(?:AccountKey|SharedAccessSignature)=([^;]+)/gi)].map((match) => match[1]!)
    return { kind: 'connection', text: AZURE_STORAGE_CONNECTION_STRING, secrets: [AZURE_STORAGE_CONNECTION_STRING, ...parts] }
  }
  if (AZURE_STORAGE_KEY) return { kind: 'key', key: AZURE_STORAGE_KEY, secrets: [AZURE_STORAGE_KEY] }
  if (AZURE_STORAGE_SAS_TOKEN) return { kind: 'sas', sas: AZURE_STORAGE_SAS_TOKEN.replace(/^\?/, ''), secrets: [AZURE_STORAGE_SAS_TOKEN] }
  return { kind: 'identity', secrets: [] }
}

type PipelineOptions = NonNullable<Parameters<typeof newPipeline>[1]>

function serviceOf({ account, endpoint, text }: AzblobDestination, access: Credentials, options: PipelineOptions): BlobServiceClient {
  const url = endpoint ?? `https://${account}.blob.core.windows.net`
  if (access.kind === 'key') return new BlobServiceClient(url, newPipeline(new StorageSharedKeyCredential(account, access.key), options))
  if (access.kind === 'sas') return new BlobServiceClient(`${url}?${access.sas}`, newPipeline(new AnonymousCredential(), options))
  if (access.kind === 'identity') return new BlobServiceClient(url, newPipeline(new AnonymousCredential(), options))
  const service = connected(access.text, options)
  if (service.accountName !== account) {
    throw new LifeboatError(`AZURE_STORAGE_CONNECTION_STRING is not of the account of ${text}`, {
      hint: `It should have AccountName=${account}.`,
      status: 2,
    })
  }
  return service
}

function connected(text: string, options: PipelineOptions): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(text, options)
  } catch {
    // Its message may show parts of the string.
    throw new LifeboatError('AZURE_STORAGE_CONNECTION_STRING is not a connection string', {
      hint: 'It should be like DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net.',
      status: 2,
    })
  }
}

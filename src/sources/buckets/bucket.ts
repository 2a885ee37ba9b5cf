import { createHash } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type StorageClass,
} from '@aws-sdk/client-s3'
import { LifeboatError } from '../../error.ts'
import type { S3Destination } from '../../stores/s3/destination.ts'
import { Transient } from '../../net/retry.ts'
import { openSession, type S3Environment, type S3Session } from '../../stores/s3/session.ts'
import { NotFound } from '../../stores/store.ts'
import { ChangedObject, ClosedObject } from './changes.ts'
import { bare, headersOf, type Metadata, metadataOf } from './metadata.ts'

/** An object of a listing. */
export interface BucketObject {
  /** Without the volume's own prefix; may be empty. */
  key: string
  size: number
  modified: Date
  /** Without quotes; empty if the service has none. */
  etag: string
}

/** Bytes of one version of an object. */
export interface ObjectPiece {
  bytes: Buffer
  /** Of the whole object. */
  size: number
  metadata: Metadata
}

/** The bytes to read, and the version of the object; an empty ETag accepts any version. */
export interface PieceWanted {
  key: string
  etag: string
  /** From `start` up to, but without, `end`. Default: all bytes. */
  range?: { start: number; end: number }
}

/** A bucket, or the objects in it whose keys begin with a prefix, as a volume. Objects may have any keys and metadata. */
export class BucketAccess {
  readonly name: string
  readonly #destination: S3Destination
  readonly #session: S3Session

  constructor(destination: S3Destination, session: S3Session) {
    this.name = destination.text
    this.#destination = destination
    this.#session = session
  }

  /** In the order of the service. `limit`: the largest number of objects. */
  async *list(limit?: number): AsyncGenerator<BucketObject, void, void> {
    const { bucket, prefix } = this.#destination
    let token: string | undefined
    do {
      const page = await this.#session.try('list', '', async (requestTimeout) => {
        // Plain XML cannot represent every key.
        const command = new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ContinuationToken: token,
          EncodingType: 'url',
          MaxKeys: limit,
        })
        const page = await this.#session.client.send(command, { requestTimeout })
        if (page.IsTruncated === undefined) throw new Transient('the answer is not that of an S3 service')
        return page
      })
      const decoded = page.EncodingType === 'url' ? (key: string) => decodeURIComponent(key.replaceAll('+', ' ')) : (key: string) => key
      for (const { Key = '', Size: size = 0, ETag = '', LastModified: modified = new Date(0) } of page.Contents ?? []) {
        const key = decoded(Key)
        if (!key.startsWith(prefix))
          throw new LifeboatError(`${this.name} lists ${JSON.stringify(key)}, which does not begin with its prefix`)
        yield { key: key.slice(prefix.length), size, modified, etag: bare(ETag) }
      }
      const next = page.IsTruncated ? page.NextContinuationToken : undefined
      if (page.IsTruncated && limit === undefined && (!next || next === token))
        throw new LifeboatError(`${this.name} does not say how its listing goes on`, {
          hint: 'The service lacks ListObjectsV2, which is needed.',
        })
      token = limit === undefined ? next : undefined
    } while (token !== undefined)
  }

  /** Throws ChangedObject if the object is gone or another version, and ClosedObject if it cannot be read. */
  async read({ key, etag, range }: PieceWanted): Promise<ObjectPiece> {
    try {
      return await this.#session.try('get', shown(key), async (requestTimeout) => {
        const IfMatch = etag === '' ? undefined : `"${etag}"`
        const command = new GetObjectCommand({ ...this.#at(key), Range: range && `bytes=${range.start}-${range.end - 1}`, IfMatch })
        const answer = await this.#session.client.send(command, { requestTimeout })
        const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? [])
        const size = Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? bytes.length)
        if (range !== undefined && bytes.length !== Math.min(range.end, size) - range.start)
          throw new Transient(`it gave ${bytes.length} bytes where ${range.end - range.start} were asked for`)
        // Some services ignore conditions.
        if (etag !== '' && bare(answer.ETag ?? '') !== etag) throw new ChangedObject('it has changed')
        return { bytes, size, metadata: metadataOf(key, answer) }
      })
    } catch (error) {
      throw readError(error)
    }
  }

  /** The current version of an object; undefined if there is none. */
  async look(key: string): Promise<BucketObject | undefined> {
    try {
      return await this.#session.try('head', shown(key), async (requestTimeout) => {
        const {
          ContentLength: size,
          LastModified: modified,
          ETag = '',
        } = await this.#session.client.send(new HeadObjectCommand(this.#at(key)), { requestTimeout })
        if (size === undefined || modified === undefined) throw new Transient('the answer is not that of an S3 service')
        return { key, size, modified, etag: bare(ETag) }
      })
    } catch (error) {
      if (error instanceof NotFound) return undefined
      throw error
    }
  }

  /** Puts an object in one request. */
  async put(key: string, bytes: Buffer, metadata: Metadata): Promise<void> {
    const ContentMD5 = md5(bytes)
    await this.#session.try('put', shown(key), (requestTimeout) =>
      this.#session.client.send(
        new PutObjectCommand({ ...this.#at(key), Body: bytes, ContentLength: bytes.length, ContentMD5, ...this.#headers(metadata) }),
        { requestTimeout },
      ),
    )
  }

  /** Begins an object in parts, each of at least 5 MiB except the last. The object exists once it is completed, not before. */
  async begin(key: string, metadata: Metadata): Promise<MultipartUpload> {
    const at = this.#at(key)
    const send = <T>(attempt: (options: { requestTimeout: number }) => Promise<T>): Promise<T> =>
      this.#session.try('put', shown(key), (requestTimeout) => attempt({ requestTimeout }))
    const { client } = this.#session
    const { UploadId } = await send((options) =>
      client.send(new CreateMultipartUploadCommand({ ...at, ...this.#headers(metadata) }), options),
    )
    const parts: { ETag: string | undefined; PartNumber: number }[] = []
    return {
      part: async (PartNumber, bytes) => {
        const ContentMD5 = md5(bytes)
        const { ETag } = await send((options) =>
          client.send(
            new UploadPartCommand({ ...at, UploadId, PartNumber, Body: bytes, ContentLength: bytes.length, ContentMD5 }),
            options,
          ),
        )
        parts.push({ ETag, PartNumber })
      },
      complete: async () => {
        const MultipartUpload = { Parts: parts.toSorted((a, b) => a.PartNumber - b.PartNumber) }
        await send((options) => client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload }), options))
      },
      abort: async () => void (await send((options) => client.send(new AbortMultipartUploadCommand({ ...at, UploadId }), options))),
    }
  }

  async delete(key: string): Promise<void> {
    try {
      await this.#session.try('delete', shown(key), (requestTimeout) =>
        this.#session.client.send(new DeleteObjectCommand(this.#at(key)), { requestTimeout }),
      )
    } catch (error) {
      if (!(error instanceof NotFound)) throw error
    }
  }

  close(): void {
    this.#session.client.destroy()
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#destination.bucket, Key: this.#destination.prefix + key }
  }

  /** Storage options of the target override those that the object had. */
  #headers(metadata: Metadata): object {
    const { storageClass, encryption: ServerSideEncryption, kmsKey: SSEKMSKeyId } = this.#destination
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- services have classes that the SDK does not know
    const StorageClass = storageClass as StorageClass | undefined
    return {
      ...headersOf(metadata),
      ...(StorageClass !== undefined && { StorageClass }),
      ServerSideEncryption,
      SSEKMSKeyId,
    }
  }
}

export interface MultipartUpload {
  /** Numbers begin with 1; parts may come in any order, several at the same time. */
  part(number: number, bytes: Buffer): Promise<void>
  complete(): Promise<void>
  /** Discards the uploaded parts. */
  abort(): Promise<void>
}

/** The error of a read, as that of its object if it is of it alone. */
function readError(cause: unknown): unknown {
  if (cause instanceof NotFound) return new ChangedObject('it is gone', { cause })
  const code = cause instanceof LifeboatError && cause.cause instanceof Error ? cause.cause.name : ''
  // An object that has become shorter has no such range.
  if (code === 'PreconditionFailed' || code === 'InvalidRange') return new ChangedObject('it has changed', { cause })
  if (code === 'AccessDenied') return new ClosedObject('access is denied', { cause })
  if (code === 'InvalidObjectState') return new ClosedObject('its storage class cannot be read at once', { cause })
  return cause
}

/** Sends no request yet. */
export function openBucket(destination: S3Destination, environment: S3Environment): BucketAccess {
  return new BucketAccess(destination, openSession(destination, environment))
}

/** The key for messages. */
function shown(key: string): string {
  return /^[\u0021-\u007e]+$/.test(key) ? key : JSON.stringify(key)
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('base64')
}

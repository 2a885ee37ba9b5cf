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

/** An object as a listing has it. */
export interface BucketObject {
  /** Without the volume's own prefix; may be empty. */
  key: string
  size: number
  modified: Date
  /** Without quotes; empty where the service has none. */
  etag: string
}

/** Bytes of an object, from one of its versions. */
export interface ObjectPiece {
  bytes: Buffer
  /** Of the whole object. */
  size: number
  metadata: Metadata
}

/** Which bytes, and of which state of the object; with an empty ETag, of whatever is there. */
export interface PieceWanted {
  key: string
  etag: string
  /** From `start` up to, but not with, `end`; all of them unless told. */
  range?: { start: number; end: number }
}

// Not `Bucket`: ncc renames exports, and with this one the name of a parameter of each command.
/** A bucket, or what in it begins with a prefix, as a volume: whatever keys and metadata its objects have. */
export class BucketAccess {
  readonly name: string
  readonly #destination: S3Destination
  readonly #session: S3Session

  constructor(destination: S3Destination, session: S3Session) {
    this.name = destination.text
    this.#destination = destination
    this.#session = session
  }

  /** In the order of the service. `limit`: no more than these. */
  async *list(limit?: number): AsyncGenerator<BucketObject, void, void> {
    const { bucket, prefix } = this.#destination
    let token: string | undefined
    do {
      const page = await this.#session.try('list', '', async (requestTimeout) => {
        // Plain XML has no room for every key.
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

  /** Throws ChangedObject when it is not, or no longer, in the state that is wanted, and ClosedObject. */
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
        // Not every service knows conditions.
        if (etag !== '' && bare(answer.ETag ?? '') !== etag) throw new ChangedObject('it has changed')
        return { bytes, size, metadata: metadataOf(key, answer) }
      })
    } catch (error) {
      if (error instanceof NotFound) throw new ChangedObject('it is gone', { cause: error })
      const code = error instanceof LifeboatError && error.cause instanceof Error ? error.cause.name : ''
      // The second is what is left of a range in something that has become shorter.
      if (code === 'PreconditionFailed' || code === 'InvalidRange') throw new ChangedObject('it has changed', { cause: error })
      if (code === 'AccessDenied' || code === 'InvalidObjectState')
        throw new ClosedObject(code === 'AccessDenied' ? 'access is denied' : 'its storage class cannot be read at once', { cause: error })
      throw error
    }
  }

  /** An object as it is now; undefined where there is none. */
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

  /** An object whose bytes are all there. */
  async put(key: string, bytes: Buffer, metadata: Metadata): Promise<void> {
    const ContentMD5 = md5(bytes)
    await this.#session.try('put', shown(key), (requestTimeout) =>
      this.#session.client.send(
        new PutObjectCommand({ ...this.#at(key), Body: bytes, ContentLength: bytes.length, ContentMD5, ...this.#headers(metadata) }),
        { requestTimeout },
      ),
    )
  }

  /** An object whose bytes come in parts, each of at least 5 MiB but the last. There once it is completed, and not before. */
  async begin(key: string, metadata: Metadata): Promise<Upload> {
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

  /** What the target says of storage comes before what the object had. */
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

export interface Upload {
  /** Numbers begin with 1; parts may come in any order, several at the same time. */
  part(number: number, bytes: Buffer): Promise<void>
  complete(): Promise<void>
  /** Gives up what was uploaded. */
  abort(): Promise<void>
}

/** Nothing is asked of the service yet. */
export function openBucket(destination: S3Destination, environment: S3Environment): BucketAccess {
  return new BucketAccess(destination, openSession(destination, environment))
}

/** In messages. */
function shown(key: string): string {
  return /^[\u0021-\u007e]+$/.test(key) ? key : JSON.stringify(key)
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('base64')
}

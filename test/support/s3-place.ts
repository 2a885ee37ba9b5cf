import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { parseS3, type S3Destination } from '../../src/stores/s3/destination.ts'
import { openS3, type S3Store } from '../../src/stores/s3/store.ts'
import type { Ceph, CephUser } from './ceph.ts'
import { quiet } from './quiet.ts'

let buckets = 0

/** A new bucket. `lock`: with object lock switched on. */
export async function newBucket(ceph: Ceph, lock = false): Promise<string> {
  const bucket = `bucket-${++buckets}`
  const client = clientOf(ceph)
  await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: lock }))
  client.destroy()
  return bucket
}

/** Amazon's client, for what the store under test is not asked to do. */
export function clientOf(ceph: Ceph): S3Client {
  const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = ceph
  return new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
}

/** The destination of a bucket of this gateway, or of a part of it. */
export function destinationOf(ceph: Pick<Ceph, 'endpoint'> & CephUser, bucket: string, more = ''): S3Destination {
  const { endpoint, accessKey, secretKey } = ceph
  return parseS3(`s3://${bucket}?endpoint=${endpoint}&path-style=true&access-key-id=${accessKey}&secret-access-key=${encodeURIComponent(secretKey)}${more}`)
}

export interface Patience {
  timeout?: number
  pause?: number
  signal?: AbortSignal
  variables?: Record<string, string>
}

export function openBucket(destination: S3Destination, { timeout = 30_000, pause = 20, signal = new AbortController().signal, variables = {} }: Patience = {}): S3Store {
  return openS3(destination, { timeout, pause, signal, variables, report: quiet })
}

import type { Ceph } from '../test/support/ceph.ts'

/** The destination of a bucket of a service on loopback; the secret is in the environment. */
export function addressOf(endpoint: string, bucket: string, prefix = ''): string {
  return `s3://${bucket}/${prefix}?endpoint=${endpoint}&path-style=true`
}

export function credentialsOf({ accessKey, secretKey }: Pick<Ceph, 'accessKey' | 'secretKey'>): NodeJS.ProcessEnv {
  return { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_REGION: 'us-east-1' }
}

export function portOf({ endpoint }: Pick<Ceph, 'endpoint'>): number {
  return Number(new URL(endpoint).port)
}

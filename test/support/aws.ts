import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { startCeph } from './ceph.ts'
import { listening } from './free-port.ts'
import { clientOf } from './s3-place.ts'

/** GitHub's identity provider and Amazon, as a job sees them: an emulated token service for both, and buckets of Ceph. */
export interface Aws {
  /** The role that the emulated token service gives credentials of. */
  role: string
  /** Of a job that may ask for its own identity. */
  identity: Record<string, string>
  /** The variables that make Amazon's client use these services. */
  services: Record<string, string>
  /** How often credentials were asked for. */
  exchanges(): number
  stop(): Promise<void>
}

export async function startAws(bucket: string): Promise<Aws> {
  const ceph = await startCeph()
  const client = clientOf(ceph)
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  const [role, bearer, jobs] = ['arn:aws:iam::123456789012:role/lifeboat', randomUUID(), new Set<string>()]
  let exchanges = 0

  const answer = async (request: IncomingMessage): Promise<[number, string]> => {
    const { pathname, searchParams } = new URL(request.url!, 'http://host')
    if (pathname === '/identity') {
      if (request.headers.authorization !== `Bearer ${bearer}`) return [401, '{}']
      const token = `${searchParams.get('audience')}.${randomUUID()}`
      jobs.add(token)
      return [200, JSON.stringify({ value: token })]
    }
    const asked = new URLSearchParams(await text(request))
    const token = asked.get('WebIdentityToken') ?? ''
    if (asked.get('Action') !== 'AssumeRoleWithWebIdentity' || asked.get('RoleArn') !== role || !jobs.has(token) || !token.startsWith('sts.amazonaws.com.')) {
      return [403, '<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>']
    }
    exchanges++
    const expiration = new Date(Date.now() + 3_600_000).toISOString()
    return [200, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${ceph.accessKey}</AccessKeyId><SecretAccessKey>${ceph.secretKey}</SecretAccessKey><SessionToken>${randomUUID()}</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`]
  }
  const server = createServer((request, response) => {
    answer(request).then(([status, text]) => response.writeHead(status).end(text), () => response.destroy())
  })
  const base = `http://127.0.0.1:${await listening(server.unref())}`
  return {
    role,
    identity: { ACTIONS_ID_TOKEN_REQUEST_URL: `${base}/identity?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer },
    services: { AWS_ENDPOINT_URL_STS: `${base}/`, AWS_ENDPOINT_URL_S3: ceph.endpoint },
    exchanges: () => exchanges,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await ceph.stop()
    },
  }
}

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import { openS3, type S3Store } from '../../src/stores/s3/store.ts'
import { inLanes } from '../../src/stores/s3/lanes.ts'
import { NotFound } from '../../src/stores/store.ts'
import { all, ANY_SIZE, changed, noise, rows } from '../support/bytes.ts'
import { type Ceph, type CephVersion, startCeph } from '../support/ceph.ts'
import { backUp, digests, restored } from '../support/engine.ts'
import { type Answered, type Fault, type HttpProxy, startHttpProxy } from '../support/http-proxy.ts'
import { quiet } from '../support/quiet.ts'
import { clientOf, destinationOf, newBucket, openBucket } from '../support/s3-place.ts'
import { storeContract } from './contract.ts'
import { type FaultyPlace, httpFaults, type Patience, tcpFaults } from './remote-faults.ts'
import { thrownBy } from '../support/thrown.ts'

describe.each<CephVersion>(['current', 'old'])('Ceph, %s', (version) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await startCeph(version)
  })
  afterAll(() => ceph.stop())

  storeContract(`a bucket of Ceph (${version})`, async () => {
    const destination = { ...destinationOf(ceph, await newBucket(ceph)), prefix: 'a/part/' }
    const store = openBucket(destination)
    return { store, reopen: async () => openBucket(destination), close: () => store.close() }
  }, { many: version === 'current' ? 3000 : 1100 })
})

const faultyBucket = async (): Promise<FaultyPlace> => {
  const ceph = await startCeph()
  const bucket = await newBucket(ceph)
  const open = async (port: number, patience: Patience) => openBucket({ ...destinationOf(ceph, bucket), endpoint: `http://127.0.0.1:${port}` }, patience)
  return { port: Number(new URL(ceph.endpoint).port), open, close: () => ceph.stop() }
}
tcpFaults('a bucket', faultyBucket)
httpFaults('a bucket', { checksums: true }, faultyBucket)

/** The XML with which services refuse. */
const refusal = (code: string, message = 'no') => Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`)

/** Milliseconds of the time in a signature. */
const time = (text: string) => Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

describe('a service of S3', () => {
  let ceph: Ceph
  let proxy: HttpProxy
  let bucket: string
  beforeAll(async () => {
    ceph = await startCeph()
    proxy = await startHttpProxy(Number(new URL(ceph.endpoint).port))
    bucket = await newBucket(ceph)
  })
  afterAll(async () => {
    await proxy.close()
    await ceph.stop()
  })
  beforeEach(() => proxy.reset())
  const through = (): Pick<Ceph, 'endpoint' | 'accessKey' | 'secretKey'> => ({ ...ceph, endpoint: `http://127.0.0.1:${proxy.port}` })
  const eachOperation: [string, (store: S3Store) => Promise<unknown>][] = [
    ['s3:PutObject', (store) => store.put('object', Buffer.from('x'))],
    ['s3:GetObject', (store) => store.get('object', ANY_SIZE)],
    ['s3:GetObject (head)', (store) => store.head('object')],
    ['s3:ListBucket', (store) => all(store.list(''))],
    ['s3:DeleteObject', (store) => store.delete('object')],
  ]

  test.each(eachOperation)('that has no such bucket, or does not allow %s, is asked once and one error says what to do', async (permission, work) => {
    // An answer to HEAD does not say what is not there.
    if (permission !== 's3:GetObject (head)') {
      const missing = await thrownBy(work(openBucket(destinationOf(ceph, 'not-there'))))
      expect(missing.message).toContain('NoSuchBucket')
      expect(missing.hint).toContain('Make the bucket')
    }

    const stranger = ceph.user(`stranger-${Math.random().toString(36).slice(2)}`)
    await openBucket(destinationOf(ceph, bucket)).put('object', Buffer.from('x'))
    const denied = await thrownBy(work(openBucket(destinationOf({ ...through(), ...stranger }, bucket))))
    expect(denied.message).toMatch(/^cannot .* (into|from|in) s3:\/\/|^cannot list s3:\/\//)
    expect(denied.hint).toContain(permission.split(' ')[0])
    expect(proxy.seen).toHaveLength(1)
    expect((await openBucket(destinationOf(ceph, bucket)).get('object', ANY_SIZE)).toString()).toBe('x')
  })

  test('keys that are wrong are one error that shows none of them', async () => {
    for (const [user, code] of [[{ accessKey: 'nobody-knows', secretKey: 'hunter22secret' }, 'InvalidAccessKeyId'], [{ accessKey: ceph.accessKey, secretKey: 'hunter22secret' }, 'SignatureDoesNotMatch']] as const) {
      const error = await thrownBy(openBucket(destinationOf({ ...ceph, ...user }, bucket)).put('x', Buffer.from('x')))
      expect(error.message).toContain(code)
      expect(error.hint).toMatch(/key/)
      expect(`${error.message}${error.hint}`).not.toContain('hunter22')
    }
  })

  test('without any credentials is not asked at all', async () => {
    const { credentials, ...destination } = destinationOf(through(), bucket)
    expect(credentials).toBeDefined()
    const none = { ...destination, credentials: undefined }
    const kept = { ...process.env }
    Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '/nowhere', AWS_CONFIG_FILE: '/nowhere' })
    try {
      const error = await thrownBy(openBucket(none).get('x', ANY_SIZE))
      expect(error.message).toContain('there are no credentials for s3://')
      expect(error.hint).toContain('AWS_ACCESS_KEY_ID')
      expect(proxy.seen).toEqual([])
    } finally {
      for (const name of Object.keys(process.env)) if (kept[name] === undefined) delete process.env[name]
      Object.assign(process.env, kept)
    }
  })

  test('that answers 403 for what is not there, since it may not be listed, is told apart in the hint', async () => {
    proxy.on(() => true, { status: 403, headers: { 'content-type': 'application/xml' }, body: refusal('AccessDenied') }, 2)
    const store = openBucket(destinationOf(through(), bucket))
    for (const work of [() => store.get('x', ANY_SIZE), () => store.head('x')]) expect((await thrownBy(work())).hint).toContain('s3:ListBucket on the bucket, without which an object that is not there is refused as well')
  })

  test('that keeps what is to be deleted says so, and goes on', async () => {
    const store = openBucket(destinationOf(through(), bucket))
    proxy.on(({ method }) => method === 'DELETE', { status: 403, headers: { 'content-type': 'application/xml' }, body: refusal('AccessDenied', 'Access Denied because object protected by object lock.') })
    const error = await thrownBy(store.delete('object'))
    expect(error.message).toContain('object protected by object lock')
    expect(error.hint).toContain('object lock')
    await store.delete('object')
  })

  test('with object lock takes puts, and a delete leaves the object out of sight', async () => {
    const locked = await newBucket(ceph, true)
    const client = clientOf(ceph)
    await client.send(new PutObjectLockConfigurationCommand({ Bucket: locked, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } } } }))
    const store = openBucket(destinationOf(ceph, locked))
    await store.put('object', Buffer.from('first'))
    await store.put('object', Buffer.from('second'))
    expect((await store.get('object', ANY_SIZE)).toString()).toBe('second')
    await store.delete('object')
    await expect(store.get('object', ANY_SIZE)).rejects.toThrow(NotFound)
    expect(await all(store.list(''))).toEqual([])
    client.destroy()
  })

  test('with object lock that wants a checksum is given one from then on', async () => {
    const store = openBucket(destinationOf(through(), bucket))
    const sums: unknown[] = []
    proxy.on(({ method, headers }) => {
      if (method === 'PUT') sums.push(headers['content-md5'])
      return method === 'PUT' && headers['content-md5'] === undefined
    }, { status: 400, headers: { 'content-type': 'application/xml' }, body: refusal('InvalidRequest', 'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters') }, 100)
    await store.put('object', Buffer.from('one'))
    await store.put('object', Buffer.from('two'))
    expect((await store.get('object', ANY_SIZE)).toString()).toBe('two')
    expect(sums).toEqual([undefined, createHash('md5').update('one').digest('base64'), createHash('md5').update('two').digest('base64')])
  })

  test('whose ETags are no checksums is believed once it says the same twice', async () => {
    const store = openBucket(destinationOf(through(), bucket))
    await store.put('object', noise('etag', 100_000))
    proxy.on(({ method }) => method === 'GET', { change: ({ status, headers, body }) => ({ status, headers: { ...headers, etag: `"${'0'.repeat(32)}"` }, body }) }, 100)
    for (let turn = 0; turn < 3; turn++) expect(noise('etag', 100_000).equals(await store.get('object', ANY_SIZE))).toBe(true)
    expect(proxy.seen.filter(({ method }) => method === 'GET')).toHaveLength(4)
  })

  test('is asked for the first object as the SDK does, for others directly, and as the SDK does again after any other answer than an object', async () => {
    const store = openBucket({ ...destinationOf(through(), bucket), prefix: "it's (a) part+ü/~!*/" })
    for (const key of ['one', 'two']) await store.put(`folder/${key}`, Buffer.from(key))
    const sdk: boolean[] = []
    const noted = ({ headers }: { headers: Record<string, unknown> }): boolean => {
      sdk.push(headers['amz-sdk-invocation-id'] !== undefined)
      return false
    }
    proxy.on(noted, { lose: true }, 100)
    expect((await store.get('folder/one', ANY_SIZE)).toString()).toBe('one')
    expect((await store.get('folder/two', ANY_SIZE)).toString()).toBe('two')
    expect(await store.head('folder/two')).toMatchObject({ key: 'folder/two', size: 3, modified: expect.any(Date) })
    expect(sdk).toEqual([true, false, false])
    await expect(store.get('folder/three', ANY_SIZE)).rejects.toThrow(NotFound)
    await expect(store.head('folder/three')).rejects.toThrow(NotFound)
    expect(sdk.slice(3)).toEqual([false, true, false, true])
  })

  test.each(['SlowDown', 'RequestTimeout', 'OperationAborted', 'BadDigest'])('that refuses with %s is asked again', async (code) => {
    const store = openBucket(destinationOf(through(), bucket))
    proxy.on(() => true, { status: 400, headers: { 'content-type': 'application/xml' }, body: refusal(code) }, 3)
    await store.put('object', Buffer.from('again'))
    expect((await store.get('object', ANY_SIZE)).toString()).toBe('again')
  })

  test('whose clock is an hour from ours is told the time it has', async () => {
    const store = openBucket(destinationOf(through(), bucket))
    const clock = { date: new Date(Date.now() + 3_600_000).toUTCString(), 'content-type': 'application/xml' }
    const times: string[] = []
    proxy.on(({ method, headers }) => {
      if (method === 'PUT') times.push(String(headers['x-amz-date']))
      return times.length === 1
    }, { status: 403, headers: clock, body: refusal('RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.') }, 100)
    // Ceph itself has the right time, refuses what is signed for another, and tells its own in turn.
    await store.put('object', Buffer.from('x'))
    expect(times.map((text) => Math.round((time(text) - time(times[0]!)) / 60_000))).toEqual([0, 60, 0])
  })

  test('that says every time that our clock is wrong ends in one error that says so', async () => {
    const store = openBucket(destinationOf(through(), bucket))
    proxy.on(() => true, { status: 403, headers: { 'content-type': 'application/xml' }, body: refusal('RequestTimeTooSkewed') }, 100)
    expect((await thrownBy(store.put('object', Buffer.from('x')))).hint).toContain('Set the clock')
  })

  test('to which credentials have expired is asked with new ones; where there are none, one error says so', async () => {
    const stale = { status: 400, headers: { 'content-type': 'application/xml' }, body: refusal('ExpiredToken', 'The provided token has expired.') }
    const fixed = openBucket(destinationOf(through(), bucket))
    await fixed.put('object', Buffer.from('before'))
    proxy.on(() => true, stale, 1)
    const error = await thrownBy(fixed.put('object', Buffer.from('after')))
    expect(error.message).toContain('ExpiredToken')
    expect(error.hint).toContain('AWS_ROLE_ARN')

    // The job's own identity, exchanged several times; an emulated token service gives keys of Ceph.
    const second = ceph.user('second')
    const masked: string[] = []
    const services = await startHttpProxy(0)
    let exchanges = 0
    services.on(({ url }) => url.startsWith('/job'), { status: 200, body: Buffer.from(JSON.stringify({ value: 'token-of-the-job' })) }, 100)
    services.on(({ url, body }) => url === '/sts' && body.toString().includes('WebIdentityToken=token-of-the-job') && body.toString().includes('RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fbackup'), () => {
      const { accessKey, secretKey } = exchanges++ === 0 ? ceph : second
      const credentials = `<AccessKeyId>${accessKey}</AccessKeyId><SecretAccessKey>${secretKey}</SecretAccessKey><SessionToken>session-${exchanges}</SessionToken><Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration>`
      return { status: 200, body: Buffer.from(`<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>${credentials}</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`) }
    }, 100)
    const base = `http://127.0.0.1:${services.port}`
    const variables = { AWS_ROLE_ARN: 'arn:aws:iam::1:role/backup', ACTIONS_ID_TOKEN_REQUEST_URL: `${base}/job?v=1`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer-of-the-job', AWS_ENDPOINT_URL_STS: `${base}/sts` }
    const store = openS3({ ...destinationOf(through(), bucket), credentials: undefined }, { timeout: 30_000, pause: 20, signal: new AbortController().signal, variables, report: { ...quiet, mask: (secret) => void masked.push(secret) } })
    const used: unknown[] = []
    proxy.on(({ headers }) => {
      used.push([/Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1], headers['x-amz-security-token']])
      return used.length === 2
    }, stale, 100)
    // Ceph knows nothing of these sessions: what answers is the proxy.
    proxy.on(() => true, { status: 200, headers: { etag: '"x"' } }, 100)
    await store.put('object', Buffer.from('one'))
    await store.put('object', Buffer.from('two'))
    expect(used).toEqual([[ceph.accessKey, 'session-1'], [ceph.accessKey, 'session-1'], [second.accessKey, 'session-2']])
    expect(masked).toEqual(['bearer-of-the-job', 'token-of-the-job', ceph.secretKey, 'session-1', 'token-of-the-job', second.secretKey, 'session-2'])
    await services.close()
  })

  test('that does not trust the job is one error with the reason', async () => {
    const services = await startHttpProxy(0)
    services.on(({ url }) => url.startsWith('/job'), { status: 200, body: Buffer.from(JSON.stringify({ value: 'token-of-the-job' })) }, 100)
    services.on(() => true, { status: 403, body: refusal('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity') }, 100)
    const base = `http://127.0.0.1:${services.port}`
    const variables = { AWS_ROLE_ARN: 'arn:aws:iam::1:role/backup', ACTIONS_ID_TOKEN_REQUEST_URL: `${base}/job`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer-of-the-job', AWS_ENDPOINT_URL_STS: `${base}/sts` }
    const error = await thrownBy(openBucket({ ...destinationOf(through(), bucket), credentials: undefined }, { variables }).get('x', ANY_SIZE))
    expect(error.message).toContain('gives this job no credentials of the role arn:aws:iam::1:role/backup: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity')
    expect(error.hint).toContain('trust')
    await services.close()
  })

  test('whose listings lag behind what is put takes whole backups all the same', async () => {
    const destination = destinationOf(through(), await newBucket(ceph))
    const store = openBucket(destination)
    const told = new Map<string, Answered>()
    proxy.on(({ url }) => url.includes('list-type=2'), ({ url }) => ({
      change: (answer) => {
        if (!told.has(url)) told.set(url, answer)
        return told.get(url)!
      },
    }), 1000)
    const contents = [{ shop: rows('shop', 3_000_000) }, { shop: changed(rows('shop', 3_000_000), 500_000, 'a new row') }]
    const runs = [await backUp({ store }, contents[0]!), await backUp({ store }, contents[1]!)]
    const whole = openBucket(destinationOf(ceph, destination.bucket))
    for (const [index, { id }] of runs.entries()) expect(await restored(whole, id)).toEqual(digests(contents[index]!))
  })

  test('that has trouble at every turn takes a whole backup, and gives it back', async () => {
    const destination = destinationOf(through(), await newBucket(ceph))
    const store = openBucket(destination)
    let turn = 0
    const troubles: Fault[] = [{ status: 503 }, { lose: true }, { status: 500 }, { cut: 0 }, { status: 400, headers: { 'content-type': 'application/xml' }, body: refusal('SlowDown') }]
    proxy.on(() => ++turn % 3 === 0, () => troubles[(turn / 3) % troubles.length]!, 1000)
    const content = { shop: rows('trouble', 12_000_000) }
    const { id } = await backUp({ store }, content)
    expect(await restored(store, id)).toEqual(digests(content))
    expect(turn).toBeGreaterThan(20)
  })
})

test('listings of more than a page are read at several places at the same time, and nothing is listed twice or left out', async () => {
  const keys = Array.from({ length: 300 }, (_, index) => `chunks/${((index * 37) % 256).toString(16).padStart(2, '0')}/${index}`)
  const objects = [...keys, 'chunks/1', 'chunks/zz/foreign'].toSorted().map((key) => ({ key, size: 1, modified: new Date(0) }))
  let [running, most] = [0, 0]
  // Pages of seven, by a service that goes on after the last key it told.
  const found = await all(inLanes('chunks/', async ({ after, token }) => {
    most = Math.max(most, ++running)
    await sleep(1)
    running--
    const rest = objects.filter(({ key }) => key > (token ?? after ?? ''))
    return { objects: rest.slice(0, 7), next: rest.length > 7 ? rest[6]!.key : undefined }
  }))
  expect(found.map(({ key }) => key).toSorted()).toEqual(objects.map(({ key }) => key))
  expect(most).toBe(8)
})

import { createHash, verify as verifySignature, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { mockFulcio, mockTSA } from '@sigstore/mock'
import { z } from 'zod'
import { proofDetails, readProof, readProofs } from '../../src/repository/proofs.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { dispatched } from '../support/dispatched.ts'
import { identity, keys } from '../support/engine.ts'
import { listening, portOf } from '../support/free-port.ts'

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = `${part({ alg: 'none' })}.${part({ sub: 'repo:octo/shop:ref:refs/heads/main', iss: 'https://token.actions.githubusercontent.com', aud: 'sigstore' })}.`
/** The identity tokens of jobs, and the attestations of a repository. */
const github = http.createServer((request, response) => {
  void text(request).then((body) => {
    if (request.url!.startsWith('/token')) return response.end(JSON.stringify({ value: jwt }))
    calls.push(`${request.method} ${request.url}`)
    if (status === 201) attested.push(schema.parse(JSON.parse(body)).bundle)
    return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ id: 1 }))
  })
})
const schema = z.object({
  bundle: z.looseObject({
    verificationMaterial: z.looseObject({ certificate: z.object({ rawBytes: z.string() }) }),
    dsseEnvelope: z.object({ payload: z.string(), payloadType: z.string(), signatures: z.array(z.looseObject({ sig: z.string() })) }),
  }),
})
let calls: string[] = []
let attested: z.infer<typeof schema>['bundle'][] = []
let status = 201
let folder: string
let api: string
beforeAll(async () => {
  await listening(github)
  api = `http://127.0.0.1:${portOf(github)}`
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-attest-'))
  mkdirSync(`${folder}/uploads`)
  writeFileSync(`${folder}/uploads/secret-name`, 'content')
  await run('backup', { volumes: `private=${folder}/uploads`, 'client-install': 'never' })
  process.env['ACTIONS_ID_TOKEN_REQUEST_URL'] = `${api}/token?version=1`
  process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] = 'of this job'
})
afterAll(async () => {
  delete process.env['ACTIONS_ID_TOKEN_REQUEST_URL']
  delete process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']
  rmSync(folder, { recursive: true })
  github.closeAllConnections()
  await new Promise((done) => github.close(done))
})
beforeEach(async () => {
  // GitHub's own instance, of repositories that are not public; each answers once.
  await mockFulcio({ baseURL: 'https://fulcio.githubapp.com' })
  await mockTSA({ baseURL: 'https://timestamp.githubapp.com' })
  status = 201
  calls = []
  attested = []
})

const store = (): string => `${folder}/store`
const variables = () => ({ ...process.env, GITHUB_REPOSITORY: 'octo/shop', GITHUB_API_URL: api })
const run = (command: 'backup' | 'verify', raw: Record<string, string>, given: Record<string, string | undefined> = variables()) =>
  dispatched(command, { destination: `file:${store()}`, 'encryption-key': identity, set: 'shop', token: 'token', ...raw }, new Date(), { variables: given, temporary: `${folder}/temporary` })

function onDamaged(error: Error): never {
  throw error
}

/** The bundles in all proofs. */
async function kept(): Promise<unknown[]> {
  const files = new FileStore(store())
  const proofs = [...(await readProofs(files, keys, { onDamaged })).values()].flat()
  const details = await Promise.all(proofs.map(async ({ object }) => proofDetails((await readProof(files, object, keys, onDamaged))!, keys)))
  return details.flatMap(({ attestation }) => (attestation ? [attestation] : []))
}

test('a verification is attested: the digest of the snapshot, numbers and no names, signed by the certificate of the job, kept with the proof', async () => {
  const { result, warnings } = await run('verify', { level: 'drill', attest: 'true' })
  expect(result).toMatchObject({ attested: true })
  expect([warnings, 'result' in result && result.result, calls]).toEqual([[], 'verified', ['POST /repos/octo/shop/attestations']])
  const { dsseEnvelope: { payload, payloadType, signatures }, verificationMaterial: { certificate } } = attested[0]!
  const statement = Buffer.from(payload, 'base64')
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${statement.length} `), statement])
  const { publicKey } = new X509Certificate(Buffer.from(certificate.rawBytes, 'base64'))
  expect(verifySignature('sha256', signed, publicKey, Buffer.from(signatures[0]!.sig, 'base64'))).toBe(true)
  const [name] = readdirSync(`${store()}/snapshots/shop`)
  const sha256 = createHash('sha256').update(readFileSync(`${store()}/snapshots/shop/${name}`)).digest('hex')
  expect(JSON.parse(statement.toString())).toEqual({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'snapshot' in result && result.snapshot, digest: { sha256 } }],
    predicateType: 'urn:lifeboat:verification:v1',
    predicate: {
      level: 'drill', result: 'verified', verifiedAt: expect.any(String), bytesRead: expect.any(Number), seconds: expect.any(Number), lifeboat: expect.any(String),
      drill: { entries: 2, rows: 0, bytes: expect.any(Number), wording: true, assertions: 0, recoverySeconds: expect.any(Number) },
    },
  })
  expect(statement.toString()).not.toMatch(/private|secret-name|shop/)
  expect(await kept()).toEqual(attested)
})

test('a backup that was verified is attested', async () => {
  const { result, warnings } = await run('backup', { volumes: `private=${folder}/uploads`, 'client-install': 'never', attest: 'true' })
  expect([warnings, attested.length]).toEqual([[], 1])
  expect(result).toMatchObject({ destinations: [{ attested: true }] })
  const other = await run('backup', { volumes: `private=${folder}/uploads`, 'client-install': 'never' })
  expect(attested).toHaveLength(1)
  expect(JSON.stringify(other.result)).not.toContain('attested')
})

test.each([
  ['the job has no identity token', () => ({ ...variables(), ACTIONS_ID_TOKEN_REQUEST_URL: undefined }), 201, /^the verification was not attested: this job has no identity token$/],
  ['this is no workflow', () => ({ ...variables(), GITHUB_REPOSITORY: undefined }), 201, /^the verification was not attested: this is no job of a workflow/],
  ['the token may not write attestations', variables, 403, /^the verification was not attested: the token may not write .*\/attestations on GitHub/],
])('where %s there is a warning, and the verification holds', async (_, given, answer, warning) => {
  status = answer
  const before = await kept()
  const { result, warnings } = await run('verify', { attest: 'true' }, given())
  expect([warnings, 'result' in result && result.result]).toEqual([[expect.stringMatching(warning)], 'verified'])
  expect(result).toMatchObject({ attested: false })
  expect(attested).toEqual([])
  expect(await kept()).toEqual(before)
})

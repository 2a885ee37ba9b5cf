// GitHub's services for artifacts as their clients see them: the Twirp calls of a run, the REST API of a repository, and blob storage
// (Azurite behind a proxy that can fail). Signed URLs are real ones.
import { createHash, randomUUID } from 'node:crypto'
import http from 'node:http'
import { type Duplex, Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import { BlobSASPermissions, BlobServiceClient, generateBlobSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import { type Azurite, startAzurite } from './azurite.ts'
import { listening, portOf } from '../free-port.ts'
import { Issues } from './issues.ts'
import { type Files, zipOf } from './zip.ts'

/** How a call goes wrong. `stall` never answers, `slow` answers after a while, `html` answers a page with status 200. */
export interface Fault {
  /** Part of the path (`CreateArtifact`, `/actions/artifacts`, `/blobs/`), or the name of a call. */
  match: string
  method?: string
  /** Only for what belongs to this repository. */
  repository?: string
  /** So many of the calls that match go well before. */
  skip?: number
  /** How often. Default: once. */
  times?: number
  kind: number | 'reset' | 'stall' | 'slow' | 'html'
  headers?: Record<string, string>
  body?: object
  /** Instead of JSON, a page for people. */
  page?: boolean
}

export interface StoredArtifact {
  id: number
  name: string
  run: Run
  blob: string
  size: number
  digest: string
  created: Date
  expires: Date
  final: boolean
}

interface Run {
  id: number
  backend: string
  repository: string
  /** The repository whose code it runs: that of a fork for its pull requests; null once that was deleted. */
  head: string | null
}

export interface Call {
  method: string
  path: string
  /** Which call it is, of all the services have: `CreateArtifact`, `GET artifacts/N/zip`, `PUT blob block`. */
  name: string
  repository: string | undefined
  status: number | string
  /** The bytes that were asked for, if not all. */
  range?: string | undefined
}

interface Reply {
  status: number
  body?: object
  headers?: Record<string, string>
}

class Refusal extends Error {
  readonly reply: Reply

  constructor(status: number, body: object) {
    super(`status ${status}`)
    this.reply = { status, body }
  }
}

const ACCOUNT = 'devstoreaccount1'
/** The path of the service that runs use. */
export const SERVICE = '/twirp/github.actions.results.api.v1.ArtifactService/'
const DAY = 86_400_000
const BLOBS = /^\/blobs\/([^/]+\/[^/]+)/

/** The zip files of artifacts. */
interface Blobs {
  read(blob: string): Promise<Buffer>
  write(blob: string, bytes: Buffer): Promise<void>
  size(blob: string): Promise<number>
  /** Path and query of a URL that permits `r` or `cw`. */
  signed(blob: string, permissions: string): string
  /** Where requests with such URLs are answered, if that is a server. */
  readonly url?: string
  stop(): Promise<void>
}

async function azureBlobs(azurite: Azurite): Promise<Blobs> {
  const credential = new StorageSharedKeyCredential(ACCOUNT, azurite.key)
  const blobs = new BlobServiceClient(`${azurite.url}/${ACCOUNT}`, credential).getContainerClient('artifacts')
  await blobs.createIfNotExists()
  return {
    read: (blob) => blobs.getBlobClient(blob).downloadToBuffer(),
    write: async (blob, bytes) => void (await blobs.getBlockBlobClient(blob).uploadData(bytes)),
    size: async (blob) => (await blobs.getBlobClient(blob).getProperties()).contentLength!,
    signed(blob, permissions) {
      const from = Date.now() - 300_000
      const given = { containerName: 'artifacts', blobName: blob, permissions: BlobSASPermissions.parse(permissions), startsOn: new Date(from), expiresOn: new Date(from + 3_600_000) }
      return `${ACCOUNT}/artifacts/${blob}?${generateBlobSASQueryParameters(given, credential).toString()}`
    },
    url: azurite.url,
    stop: () => azurite.stop(),
  }
}

function memoryBlobs(): Blobs {
  const blobs = new Map<string, Buffer>()
  return {
    read: async (blob) => blobs.get(blob)!,
    write: async (blob, bytes) => void blobs.set(blob, bytes),
    size: async (blob) => blobs.get(blob)!.length,
    signed: (blob) => blob,
    stop: async () => blobs.clear(),
  }
}

export class GitHub {
  readonly artifacts: StoredArtifact[] = []
  readonly calls: Call[] = []
  readonly issues = new Issues()
  readonly faults: Fault[] = []
  /** A server that does not say which repositories a run is of. */
  withoutRepositoryIds = false
  /** GitHub's list tells no run of this artifact. */
  withoutRun: StoredArtifact | undefined
  /** The permissions that the repository's settings grant. */
  maximumRetentionDays = 90
  /** Blob storage that knows no ranges. */
  ignoreRanges = false
  /** The call that is carried out once while its answer is lost. */
  loseAnswerOf: string | undefined
  /** A wrong digest that the service claims for every artifact. */
  claimedDigest: string | undefined
  /** So many listings of a run that has artifacts do not have them yet. */
  hiddenListings = 0
  /** So many lists of the REST API have one artifact less than `total_count` counts. */
  shortListings = 0
  /** The count that every list of the REST API claims. */
  claimedTotal: number | undefined
  /** Every page of a list is the first. */
  repeatPages = false
  /** By the name of a call: runs once before it is answered. */
  readonly before = new Map<string, () => void>()
  /** Runs once between the first page of a list and the second. */
  betweenPages: (() => void) | undefined
  /** The URL by which clients know it, where that is not its own. */
  address: string | undefined
  /** Bytes a second that the line to blob storage carries, all uploads together. */
  uploadRate = Infinity
  /** When the line has carried what was sent before (milliseconds of the process). */
  #lineFree = 0
  /** The requests of the REST API that are left, and when there are more, in seconds since 1970. */
  allowance: { left: number; reset: number } | undefined
  /** The artifacts as lists of the REST API show them, if these lag behind. */
  lagging: (() => StoredArtifact[]) | undefined
  /** Ids of runs that go on. */
  readonly running = new Set<number>()
  /** Moves the services' clock, in milliseconds. */
  offset = 0
  readonly #blobs: Blobs
  readonly #clock: () => number
  readonly #server: http.Server
  readonly #runs = new Map<string, Run>()
  readonly #tokens = new Map<string, { repository: string; actions: 'none' | 'read' | 'write'; issues: 'read' | 'write' }>()
  readonly #repositories = new Map<string, number>()
  #next = 1000

  private constructor(blobs: Blobs, clock: () => number) {
    this.#blobs = blobs
    this.#clock = clock
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
    })
  }

  static async start(): Promise<GitHub> {
    const github = new GitHub(await azureBlobs(await startAzurite()), Date.now)
    await listening(github.#server)
    return github
  }

  /** Without servers: `answer` alone. `clock`: milliseconds since 1970. */
  static inMemory(clock: () => number): GitHub {
    const github = new GitHub(memoryBlobs(), clock)
    github.address = 'http://github.localhost'
    return github
  }

  /** Without artifacts, faults and anything else that a test has set. */
  reset(): void {
    for (const list of [this.artifacts, this.calls, this.faults]) list.length = 0
    this.running.clear()
    this.before.clear()
    Object.assign(this, {
      withoutRepositoryIds: false, withoutRun: undefined, maximumRetentionDays: 90, ignoreRanges: false, loseAnswerOf: undefined, claimedDigest: undefined,
      hiddenListings: 0, shortListings: 0, claimedTotal: undefined, repeatPages: false, betweenPages: undefined, lagging: undefined, uploadRate: Infinity, allowance: undefined, offset: 0,
    } satisfies Partial<GitHub>)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.#blobs.stop()
  }

  /** Serves a connection that came some other way. */
  accept(socket: Duplex): void {
    this.#server.emit('connection', socket)
  }

  get url(): string {
    return this.address ?? `http://127.0.0.1:${portOf(this.#server)}`
  }

  now(): Date {
    return new Date(this.#clock() + this.offset)
  }

  /** The variables a step of a new run sees. `head`: the fork whose pull request it is of. */
  startRun(repository = 'octo/shop', head = repository): Record<string, string> {
    const run = { id: this.#next++, backend: randomUUID(), repository, head }
    this.#runs.set(run.backend, run)
    const jwt = [encoded({ typ: 'JWT', alg: 'RS256' }), encoded({ exp: 4e9, scp: `Actions.Example Actions.Results:${run.backend}:${randomUUID()}` }), 'signature'].join('.')
    return {
      GITHUB_ACTIONS: 'true',
      GITHUB_RUN_ID: `${run.id}`,
      GITHUB_REPOSITORY: repository,
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_API_URL: this.url,
      GITHUB_RETENTION_DAYS: `${this.maximumRetentionDays}`,
      ACTIONS_RESULTS_URL: `${this.url}/`,
      ACTIONS_RUNTIME_TOKEN: jwt,
    }
  }

  /** The variables of a further attempt of a run (Re-run jobs): the id stays, and the names of its artifacts are free again. */
  startAttempt(variables: Record<string, string>): Record<string, string> {
    const { id, repository, head } = [...this.#runs.values()].find((run) => `${run.id}` === variables['GITHUB_RUN_ID'])!
    const again = this.startRun(repository, head ?? repository)
    const run = [...this.#runs.values()].find((one) => `${one.id}` === again['GITHUB_RUN_ID'])!
    run.id = id
    return { ...again, GITHUB_RUN_ID: `${id}`, GITHUB_RUN_ATTEMPT: '2' }
  }

  token(actions: 'none' | 'read' | 'write' = 'read', repository = 'octo/shop', issues: 'read' | 'write' = 'read'): string {
    const token = `ghs_${randomUUID().replaceAll('-', '')}`
    this.#tokens.set(token, { repository, actions, issues })
    return token
  }

  /** The stored zip file, and putting another one in its place. */
  async content({ blob }: StoredArtifact): Promise<Buffer> {
    return this.#blobs.read(blob)
  }

  async replace({ blob }: StoredArtifact, bytes: Buffer): Promise<void> {
    await this.#blobs.write(blob, bytes)
  }

  /** An artifact with any files, of a run of its own: what someone may upload who has no key. */
  async plant(given: { name: string; files?: Files; packed?: boolean; zip?: Buffer; repository?: string; head?: string; run?: number; created?: Date }): Promise<StoredArtifact> {
    const { name, files = {}, packed = false, repository = 'octo/shop', head = repository, run = this.#next++, created = this.now() } = given
    const zip = given.zip ?? (await zipOf(files, packed ? { zlib: { level: 9 } } : { store: true }))
    const artifact = {
      id: this.#next++, name, run: { id: run, backend: randomUUID(), repository, head }, blob: `planted/${randomUUID()}`, size: zip.length,
      digest: `sha256:${createHash('sha256').update(zip).digest('hex')}`, created, expires: new Date(created.getTime() + this.maximumRetentionDays * DAY), final: true,
    }
    await this.replace(artifact, zip)
    this.artifacts.push(artifact)
    return artifact
  }

  live(): StoredArtifact[] {
    return this.artifacts.filter(({ final, expires }) => final && expires > this.now())
  }

  /** Gives a repository the artifacts that another has. */
  copyRepository(from: string, to: string): void {
    const copied = this.artifacts.filter(({ run }) => run.repository === from)
    this.artifacts.push(...copied.map((artifact) => ({ ...artifact, run: { ...artifact.run, repository: to, head: artifact.run.head === from ? to : artifact.run.head } })))
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url!.replace(/^\/+/, '/'), this.url)
    const repository = this.#repositoryOf(url, request.headers.authorization)
    const call: Call = { method: request.method!, path: url.pathname, name: nameOf(url, request.method!), repository, status: 'stalled', range: request.headers.range ?? request.headers['x-ms-range']?.toString() }
    this.calls.push(call)
    const before = this.before.get(call.name)
    this.before.delete(call.name)
    before?.()
    const fault = this.faults.find((fault) => matches(fault, call) && (fault.skip = (fault.skip ?? 0) - 1) < 0)
    if (fault && (fault.times = (fault.times ?? 1) - 1) <= 0) this.faults.splice(this.faults.indexOf(fault), 1)
    if (fault?.kind === 'stall') return
    if (fault?.kind === 'reset') {
      call.status = 'reset'
      request.socket.resetAndDestroy()
      return
    }
    if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, 300))
    if (url.pathname.startsWith('/blobs/') && (!fault || fault.kind === 'slow')) return this.#forward(request, response, call)
    const { status, body, headers } = await this.#answer(url, call.method, request.headers, await text(request), fault)
    call.status = status
    if (this.loseAnswerOf !== undefined && `${call.method} ${url.pathname}`.includes(this.loseAnswerOf)) {
      this.loseAnswerOf = undefined
      request.socket.resetAndDestroy()
      return
    }
    const { allowance } = this
    if (allowance && url.pathname.startsWith('/repos/')) allowance.left--
    const rate = allowance && { 'x-ratelimit-remaining': `${allowance.left}`, 'x-ratelimit-reset': `${allowance.reset}` }
    const html = fault?.kind === 'html' || fault?.page === true
    response.writeHead(status, { 'content-type': html ? 'text/html' : 'application/json', 'x-github-request-id': randomUUID(), date: this.now().toUTCString(), ...rate, ...headers })
    response.end(html ? '<!doctype html><title>Unicorn!</title>' : body && JSON.stringify(body))
  }

  /** Answers a request without a server. */
  async answer(url: URL, method: string, headers: http.IncomingHttpHeaders, content: string): Promise<{ status: number; headers: Record<string, string>; body: Buffer }> {
    this.address = url.origin
    const [, blob] = /^\/blobs\/[^/]+\/[^/]+\/(.+)$/.exec(url.pathname) ?? []
    const date = this.now().toUTCString()
    if (blob !== undefined) {
      const bytes = await this.#blobs.read(blob)
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(headers.range!)!
      return { status: 206, headers: { 'content-range': `bytes ${start}-${end}/${bytes.length}`, date }, body: bytes.subarray(Number(start), Number(end) + 1) }
    }
    const { status, body, headers: more } = await this.#answer(url, method, headers, content, undefined)
    return { status, headers: { 'content-type': 'application/json', date, ...more }, body: Buffer.from(body ? JSON.stringify(body) : '') }
  }

  /** The bytes of an artifact that is being uploaded by this run. */
  async complete(backend: string, name: string, zip: Buffer): Promise<void> {
    const artifact = this.artifacts.findLast((one) => !one.final && one.run.backend === backend && one.name === name)
    if (artifact) await this.replace(artifact, zip)
  }

  async #answer(url: URL, method: string, headers: http.IncomingHttpHeaders, content: string, fault: Fault | undefined): Promise<Reply> {
    if (fault?.kind === 'html') return { status: 200 }
    if (typeof fault?.kind === 'number') return { status: fault.kind, body: fault.body ?? { code: 'unavailable', msg: 'asked for by the test' }, headers: fault.headers }
    try {
      if (url.pathname.startsWith(SERVICE)) return await this.#twirp(url.pathname.slice(SERVICE.length), JSON.parse(content), headers.authorization)
      return this.#aboutIssues(url, method, headers.authorization, content) ?? (await this.#rest(url, method, headers.authorization))
    } catch (error) {
      if (error instanceof Refusal) return error.reply
      throw error
    }
  }

  async #twirp(call: string, asked: Record<string, string>, authorization = ''): Promise<Reply> {
    const run = this.#runOf(authorization)
    if (asked['workflow_run_backend_id'] !== run.backend) throw new Refusal(403, { code: 'permission_denied', msg: 'run mismatch' })
    const { name } = asked
    const mine = this.artifacts.filter((artifact) => artifact.run === run && artifact.final)
    const missing = new Refusal(404, { code: 'not_found', msg: 'artifact not found' })
    if (call === 'CreateArtifact') {
      // Also the name of one that was never completed, which no listing has.
      if (this.artifacts.some((artifact) => artifact.run === run && artifact.name === name)) throw new Refusal(409, { code: 'already_exists', msg: 'an artifact with this name already exists on the workflow run' })
      // The client counts the days from the machine's clock; the test may have moved ours.
      const latest = this.now().getTime() + this.maximumRetentionDays * DAY
      const wanted = asked['expires_at'] === undefined ? latest : Date.parse(asked['expires_at']) + this.offset
      const artifact = { id: this.#next++, name: name!, run, blob: `${run.backend}/${randomUUID()}`, size: 0, digest: '', created: this.now(), expires: new Date(Math.min(wanted, latest)), final: false }
      this.artifacts.push(artifact)
      return { status: 200, body: { ok: true, signed_upload_url: this.#signed(artifact, 'cw') } }
    }
    if (call === 'FinalizeArtifact') {
      const artifact = this.artifacts.findLast((artifact) => !artifact.final && artifact.run === run && artifact.name === name)
      if (!artifact) throw missing
      const size = await this.#blobs.size(artifact.blob)
      if (`${size}` !== asked['size']) throw new Refusal(400, { code: 'invalid_argument', msg: 'size differs' })
      Object.assign(artifact, { size, digest: asked['hash'], final: true })
      return { status: 200, body: { ok: true, artifact_id: `${artifact.id}` } }
    }
    if (call === 'ListArtifacts') {
      if (mine.length > 0 && this.hiddenListings-- > 0) return { status: 200, body: { artifacts: [] } }
      const artifacts = mine.map(({ id, name, size, created, digest }) => ({
        workflow_run_backend_id: run.backend, workflow_job_run_backend_id: run.backend, database_id: `${id}`, name, size: `${size}`, created_at: created.toISOString(), digest: this.claimedDigest ?? digest,
      }))
      return { status: 200, body: { artifacts } }
    }
    if (call === 'GetSignedArtifactURL') {
      const artifact = mine.find((artifact) => artifact.name === name)
      if (!artifact) throw missing
      return { status: 200, body: { signed_url: this.#signed(artifact, 'r') } }
    }
    throw new Refusal(404, { code: 'bad_route', msg: call })
  }

  #repositoryOf(url: URL, authorization = ''): string | undefined {
    if (url.pathname.startsWith(SERVICE)) return this.#findRun(authorization)?.repository
    return BLOBS.exec(url.pathname)?.[1] ?? /^\/repos\/([^/]+\/[^/]+)\//.exec(url.pathname)?.[1]
  }

  #findRun(authorization: string): Run | undefined {
    const claims = Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()
    return this.#runs.get(/Actions\.Results:([^:]+)/.exec(claims)?.[1] ?? '')
  }

  #runOf(authorization: string): Run {
    const run = this.#findRun(authorization)
    if (!run) throw new Refusal(401, { code: 'unauthenticated', msg: 'invalid token' })
    return run
  }

  #aboutIssues(url: URL, method: string, authorization = '', content = ''): Reply | undefined {
    const [, repository, path] = /^\/repos\/([^/]+\/[^/]+)(\/issues.*|\/actions\/workflows)$/.exec(url.pathname) ?? []
    const token = this.#tokens.get(authorization.replace(/^(token|bearer) /i, ''))
    if (path === undefined || token?.repository !== repository) return undefined
    return this.issues.answer(method, path, url.searchParams, content, { issues: token?.issues === 'write' })
  }

  async #rest(url: URL, method: string, authorization = ''): Promise<Reply> {
    const [, ofRun, runId] = /^\/repos\/([^/]+\/[^/]+)\/actions\/runs\/(\d+)$/.exec(url.pathname) ?? []
    if (ofRun !== undefined && this.#tokens.get(authorization.replace(/^(token|bearer) /i, ''))?.repository === ofRun) {
      return { status: 200, body: { id: Number(runId), status: this.running.has(Number(runId)) ? 'in_progress' : 'completed' } }
    }
    const [, repository, run, number, zip] = /^\/repos\/([^/]+\/[^/]+)\/actions\/(?:runs\/(\d+)\/)?artifacts(?:\/(\d+))?(\/zip)?$/.exec(url.pathname) ?? []
    const token = this.#tokens.get(authorization.replace(/^(token|bearer) /i, ''))
    if (!token) throw new Refusal(401, { message: 'Bad credentials' })
    if (token.repository !== repository) throw new Refusal(404, { message: 'Not Found' })
    if (token.actions === 'none' || (method === 'DELETE' && token.actions !== 'write')) throw new Refusal(403, { message: 'Resource not accessible by integration' })
    const inRepository = (artifacts = this.artifacts): StoredArtifact[] => artifacts.filter(({ run, final }) => final && run.repository === repository)
    if (number === undefined) {
      if (url.searchParams.get('page') === '2') {
        this.betweenPages?.()
        this.betweenPages = undefined
      }
      const ofRun = inRepository(this.lagging?.()).filter((artifact) => run === undefined || `${artifact.run.id}` === run)
      const named = ofRun.filter(({ name }) => name === (url.searchParams.get('name') ?? name)).toReversed()
      const size = Math.min(100, Number(url.searchParams.get('per_page') ?? 30))
      const start = (this.repeatPages ? 0 : Number(url.searchParams.get('page') ?? 1) - 1) * size
      const listed = named.length > 0 && this.shortListings-- > 0 ? named.slice(1) : named
      return { status: 200, body: { total_count: this.claimedTotal ?? named.length, artifacts: listed.slice(start, start + size).map((artifact) => this.#describe(artifact)) } }
    }
    const artifact = inRepository().find(({ id }) => `${id}` === number)
    if (!artifact) throw new Refusal(404, { message: 'Not Found' })
    if (method === 'DELETE') {
      this.artifacts.splice(this.artifacts.indexOf(artifact), 1)
      return { status: 204 }
    }
    if (zip === undefined) return { status: 200, body: this.#describe(artifact) }
    if (artifact.expires <= this.now()) throw new Refusal(410, { message: 'Artifact has expired' })
    return { status: 302, headers: { location: this.#signed(artifact, 'r') } }
  }

  #describe(artifact: StoredArtifact): object {
    const { id, name, size, digest, created, expires, run } = artifact
    return {
      id, name, size_in_bytes: size, digest, expired: expires <= this.now(),
      created_at: created.toISOString(), updated_at: created.toISOString(), expires_at: expires.toISOString(),
      workflow_run: artifact === this.withoutRun ? null : {
        id: run.id, head_branch: 'main', head_sha: '0'.repeat(40),
        ...(!this.withoutRepositoryIds && { repository_id: this.#idOf(run.repository), head_repository_id: run.head === null ? null : this.#idOf(run.head) }),
      },
    }
  }

  #idOf(repository: string): number {
    const id = this.#repositories.get(repository) ?? 500 + this.#repositories.size
    this.#repositories.set(repository, id)
    return id
  }

  #signed({ blob, run: { repository } }: StoredArtifact, permissions: string): string {
    return `${this.url}/blobs/${repository}/${this.#blobs.signed(blob, permissions)}`
  }

  /** Carries at most `uploadRate` bytes a second, together with all others. */
  #line(): Transform {
    return new Transform({
      transform: (piece: Buffer, _, done) => {
        this.#lineFree = Math.max(this.#lineFree, performance.now()) + (piece.length / this.uploadRate) * 1000
        setTimeout(() => done(null, piece), Math.max(1, this.#lineFree - performance.now()))
      },
    })
  }

  #forward(request: http.IncomingMessage, response: http.ServerResponse, call: Call): Promise<void> {
    // By any other name Azurite would take the first part of it for the account's.
    const headers: http.IncomingHttpHeaders = { ...request.headers, host: new URL(this.#blobs.url!).host }
    if (this.ignoreRanges) delete headers['range']
    return new Promise((resolve, reject) => {
      const onward = http.request(this.#blobs.url! + request.url!.replace(BLOBS, ''), { method: request.method, headers }, (answer) => {
        call.status = answer.statusCode!
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response).on('finish', resolve).on('close', resolve)
      })
      onward.on('error', reject)
      const line = this.uploadRate === Infinity ? request : request.pipe(this.#line())
      request.on('error', reject)
      line.pipe(onward)
    })
  }
}

function nameOf({ pathname, searchParams }: URL, method: string): string {
  if (pathname.startsWith(SERVICE)) return pathname.slice(SERVICE.length)
  if (BLOBS.test(pathname)) return [method, 'blob', searchParams.get('comp')].filter((part) => part !== null).join(' ')
  return `${method} ${pathname.replace(/^\/repos\/[^/]+\/[^/]+\/actions\//, '').replace(/\d+/, 'N')}`
}

function matches({ match, method, repository }: Fault, call: Call): boolean {
  return (call.path.includes(match) || call.name === match) && (method ?? call.method) === call.method && (repository ?? call.repository) === call.repository
}

function encoded(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url')
}

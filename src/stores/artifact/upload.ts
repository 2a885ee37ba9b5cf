import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { LifeboatError, messageOf } from '../../error.ts'
import { Transient } from '../../net/retry.ts'
import type { Variables } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { type UploadCall, cleaned, UPLOAD_THREAD, ROLE, type Upload } from './upload-thread.ts'
import { REFUSED } from './run-service.ts'

export interface Uploaded {
  id: number
  /** Bytes of the zip file. */
  size: number
  /** `sha256:` and 64 hex digits. */
  digest: string
}

/** A name that another artifact of this run already has. */
export class NameTaken extends LifeboatError {}

export interface UploadOptions {
  variables: Variables
  signal: AbortSignal
  /** Milliseconds without progress after which the upload is given up. */
  silence: number
}

const outcome = z.union([
  z.strictObject({ uploaded: z.object({ id: z.int().min(1), size: z.int().min(1), digest: z.string().regex(/^[0-9a-f]{64}$/) }) }),
  z.strictObject({ failure: z.string(), code: z.string().optional() }),
])

/**
 * Uploads files as one artifact with GitHub's own client. The client runs in a thread of its own: it can neither be stopped nor told how
 * long to wait, throws out of callbacks, prints, and reads its configuration from the process; a thread can be ended with everything it
 * holds, and is ended unless the upload went well or the name was taken. The client itself retries what a busy service refuses. Throws a
 * `Transient` for a lost connection, for an upload that stands still, and for a refusal by something in between; GitHub may then have the
 * name, or even the artifact.
 */
export async function uploadArtifact(upload: Upload, { variables, signal, silence }: UploadOptions): Promise<Uploaded> {
  // The listener below hears of no abort that came before.
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<Uploaded>()
  let refusal = ''
  const stall = () =>
    reject(
      new Transient(`the upload of artifact ${upload.name} has stood still for ${Math.round(silence / 100) / 10} s${refusal}`, {
        hint: STALLED,
      }),
    )
  const timer = setTimeout(stall, silence)
  const interrupt = () => reject(signal.reason)
  signal.addEventListener('abort', interrupt)
  const call = { upload, variables: forClient(variables) }
  const thread = ClientThread.for(call)
  thread.begin(call, {
    // It prints a line for every bit of progress, which hold nothing for the user, and commands to the runner; and one when it will try
    // again.
    told(text) {
      const failure = /^Attempt \d+ of \d+ failed with error: (.+)\. Retrying/m.exec(text)?.[1]
      if (failure === undefined) timer.refresh()
      else refusal = `: ${cleaned(failure)}`
    },
    ended(message) {
      const result = outcome.safeParse(message)
      if (!result.success) reject(new LifeboatError('the artifact client gave no size and digest for what it uploaded'))
      else if ('failure' in result.data) reject(uploadError(upload.name, result.data.failure, result.data.code))
      else resolve({ ...result.data.uploaded, digest: `sha256:${result.data.uploaded.digest}` })
    },
    failed: (failure) => reject(uploadError(upload.name, failure)),
  })
  try {
    const uploaded = await promise
    thread.rest()
    return uploaded
  } catch (error) {
    if (error instanceof NameTaken) thread.rest()
    else await thread.end()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', interrupt)
  }
}

interface Listener {
  /** Of each text that the client prints. */
  told(text: string): void
  ended(message: unknown): void
  failed(failure: string): void
}

/** A thread with GitHub's client, for one upload at a time. Its next one need not load the client again, which takes half a second. */
class ClientThread {
  static readonly #resting: ClientThread[] = []
  readonly #proxies: string
  readonly #worker: Worker
  #listener: Listener | undefined
  #rest: NodeJS.Timeout | undefined

  /** One that rests, or a new one. The client reads which proxy to use only once. */
  static for({ variables }: UploadCall): ClientThread {
    const index = ClientThread.#resting.findIndex((thread) => thread.#proxies === proxiesOf(variables))
    return index === -1 ? new ClientThread(variables) : ClientThread.#resting.splice(index, 1)[0]!
  }

  private constructor(env: Record<string, string>) {
    this.#proxies = proxiesOf(env)
    // Nothing reads its output, which would keep the process alive: it sends the texts that it prints. It has a small nursery, because the
    // data that the client reads and sends lies outside of the heap, and is let go only by its collections.
    const resourceLimits = { maxYoungGenerationSizeMb: 8 }
    this.#worker = new Worker(UPLOAD_THREAD, { workerData: ROLE, execArgv: [], env, stdout: true, stderr: true, resourceLimits })
    this.#worker.on('message', (message: unknown) => {
      if (typeof message === 'string') this.#listener?.told(message)
      else this.#listener?.ended(message)
    })
    this.#worker.on('error', (error) => this.#lost(messageOf(error)))
    this.#worker.on('exit', () => this.#lost('the thread of the artifact client ended without a result'))
  }

  begin(call: UploadCall, listener: Listener): void {
    clearTimeout(this.#rest)
    this.#listener = listener
    this.#worker.ref()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage(call)
  }

  /** Waits for a next upload, for some time, as long as the process lives anyway. */
  rest(): void {
    this.#listener = undefined
    this.#worker.unref()
    this.#rest = setTimeout(() => this.#lost(), RESTING).unref()
    ClientThread.#resting.push(this)
  }

  async end(): Promise<void> {
    this.#listener = undefined
    await this.#worker.terminate()
  }

  #lost(failure = ''): void {
    const index = ClientThread.#resting.indexOf(this)
    if (index !== -1) ClientThread.#resting.splice(index, 1)
    this.#listener?.failed(failure)
    void this.end()
  }
}

/** Milliseconds that a thread waits for its next upload. */
const RESTING = 10_000

function proxiesOf(variables: Record<string, string>): string {
  const ofProxies = Object.entries(variables).filter(([name]) => /PROXY$/i.test(name))
  return JSON.stringify(ofProxies.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const STALLED = marked`Run the backup again. Nothing was added; earlier backups are whole. If uploads are this slow, raise ‹timeout›.`

/** The variables that the client reads; it does not get the rest of the environment. */
function forClient(variables: Variables): Record<string, string> {
  const wanted = /^(ACTIONS_|GITHUB_|RUNNER_|HTTPS?_PROXY$|NO_PROXY$|TZ$)/i
  return Object.fromEntries(
    Object.entries(variables).filter((pair): pair is [string, string] => pair[1] !== undefined && wanted.test(pair[0])),
  )
}

function uploadError(name: string, failure: string, code?: string): LifeboatError {
  const what = cleaned(failure)
  if (/quota has been hit/i.test(what)) {
    return new LifeboatError(`artifact ${name} was not uploaded: the storage for artifacts is used up`, {
      hint:
        'Delete artifacts or wait until some expire (GitHub counts again every 6 to 12 hours), raise the limit in the billing settings, ' +
        'or use another destination. Earlier backups are whole.',
    })
  }
  if (/\(409\)/.test(what)) return new NameTaken(`this run already has an artifact ${name}`)
  const passing = /\(403\)/.test(what) && /\bintermediary\b/i.test(what)
  if (!passing && /\((401|403)\)|status (401|403)\b/.test(what)) {
    return new LifeboatError(`artifact ${name} was not uploaded: GitHub refused it (${what})`, { hint: REFUSED })
  }
  const lost =
    passing ||
    code !== undefined || /ECONNRESET|ECONNREFUSED|ETIMEDOUT|ENOTFOUND|EPIPE|EAI_AGAIN|socket hang up|network|a page for people/i.test(what)
  const message = `artifact ${name} was not uploaded: ${what}`
  return lost
    ? new Transient(message, { hint: STALLED })
    : new LifeboatError(message, { hint: 'Run the backup again. Nothing was added; earlier backups are whole.' })
}

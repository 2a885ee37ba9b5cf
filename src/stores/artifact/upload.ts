import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { LifeboatError, messageOf } from '../../error.ts'
import { Transient } from '../../net/retry.ts'
import type { Variables } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { REFUSED } from './run-service.ts'

export interface Upload {
  name: string
  /** Folder the files' names in the artifact are relative to, and the files, absolute. */
  root: string
  files: string[]
  retentionDays: number
}

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
 * holds. The client itself retries what a busy service refuses. Throws a `Transient` for a lost connection, for an upload that stands
 * still, and for a refusal by something in between; GitHub may then have the name, or even the artifact.
 */
export async function uploadArtifact(upload: Upload, { variables, signal, silence }: UploadOptions): Promise<Uploaded> {
  const { promise, resolve, reject } = Promise.withResolvers<Uploaded>()
  // A small nursery: what the client reads and sends lies outside of the heap, and is let go only by its collections.
  const resourceLimits = { maxYoungGenerationSizeMb: 8 }
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { lifeboatUpload: upload },
    execArgv: [],
    env: forClient(variables),
    stdout: true,
    stderr: true,
    resourceLimits,
  })
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
  // It prints a line for every bit of progress, which hold nothing for the user, and commands to the runner; and one when it will try
  // again.
  for (const stream of [worker.stdout, worker.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      const failure = /^Attempt \d+ of \d+ failed with error: (.+)\. Retrying/m.exec(text)?.[1]
      if (failure === undefined) timer.refresh()
      else refusal = `: ${cleaned(failure)}`
    })
  }
  worker.on('message', (message: unknown) => {
    const result = outcome.safeParse(message)
    if (!result.success) reject(new LifeboatError('the artifact client gave no size and digest for what it uploaded'))
    else if ('failure' in result.data) reject(uploadError(upload.name, result.data.failure, result.data.code))
    else resolve({ ...result.data.uploaded, digest: `sha256:${result.data.uploaded.digest}` })
  })
  worker.on('error', (error) => reject(uploadError(upload.name, messageOf(error))))
  worker.on('exit', () => reject(new LifeboatError(`the upload of artifact ${upload.name} ended without a result`)))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', interrupt)
    await worker.terminate()
  }
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

/** Signed URLs are secrets, whatever message they come in. */
function cleaned(failure: string): string {
  if (/^\s*<|is not valid JSON$/.test(failure)) return 'something answered with a page for people'
  return failure.replaceAll(/(https?:\/\/[^\s?]+)\?\S+/g, '$1')
}

const asked = z.object({
  lifeboatUpload: z.object({ name: z.string(), root: z.string(), files: z.array(z.string()), retentionDays: z.number() }),
})

/** The work of the thread; this module is also its entry. */
async function uploadHere({ name, root, files, retentionDays }: Upload): Promise<z.infer<typeof outcome>> {
  try {
    const { DefaultArtifactClient } = await import('@actions/artifact')
    const { id, size, digest } = await new DefaultArtifactClient().uploadArtifact(name, files, root, { compressionLevel: 0, retentionDays })
    if (id === undefined || size === undefined || digest === undefined) {
      return { failure: 'the client gave no id, size and digest for what it uploaded' }
    }
    return { uploaded: { id, size, digest } }
  } catch (error) {
    const status = error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined
    const failure = status === undefined ? messageOf(error) : `blob storage answered with status ${status}: ${cleaned(messageOf(error))}`
    return { failure, code: error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined }
  }
}

if (!isMainThread) {
  const request = asked.safeParse(workerData)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  if (request.success) parentPort!.postMessage(await uploadHere(request.data.lifeboatUpload))
}

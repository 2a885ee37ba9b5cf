// GitHub's client for artifacts, in a thread of its own: see upload.ts. This module is the thread's entry, too.
import path from 'node:path'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../error.ts'

export interface Upload {
  name: string
  /** Folder the files' names in the artifact are relative to, and the files, absolute. */
  root: string
  files: string[]
  retentionDays: number
}

/** An upload, and the variables of the environment that the client reads. */
export interface UploadCall {
  upload: Upload
  variables: Record<string, string>
}

/** The file that a thread loads (this one; in the bundle, an entry of its own), and the mark by which it knows that it is such a thread. */
export const UPLOAD_THREAD = path.join(import.meta.dirname, `upload-thread${path.extname(import.meta.filename)}`)
export const ROLE = 'lifeboat: the client for artifacts'

/** Signed URLs are secrets, whatever message they come in. */
export function cleaned(failure: string): string {
  if (/^\s*<|is not valid JSON$/.test(failure)) return 'something answered with a page for people'
  return failure.replaceAll(/(https?:\/\/[^\s?]+)\?\S+/g, '$1')
}

async function uploadHere({ name, root, files, retentionDays }: Upload): Promise<object> {
  try {
    const { DefaultArtifactClient } = await import('@actions/artifact')
    process.stdout.write('loaded')
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

if (!isMainThread && workerData === ROLE) {
  const port = parentPort!
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (text: string | Uint8Array): boolean => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
      port.postMessage(text.toString())
      return true
    }
  }
  // Progress: on a busy machine, starting and loading take seconds each.
  process.stdout.write('started')
  port.on('message', ({ upload, variables }: UploadCall) => {
    for (const name of Object.keys(process.env)) delete process.env[name]
    Object.assign(process.env, variables)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
    void uploadHere(upload).then((outcome) => port.postMessage(outcome))
  })
}

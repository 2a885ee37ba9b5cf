import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Writable } from 'node:stream'
import type { Environment } from '../../environment.ts'
import { CLOSED_PIPE, LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'

export interface OpenOutput {
  write(bytes: Buffer): Promise<void>
  /** To be called when everything was written. */
  finish(): Promise<void>
  /** Safe after `finish`; before it, a file is removed. */
  close(): Promise<void>
}

/** A file that does not exist yet, or standard output (`-`). */
export function openOutput(given: string, { output, signal }: Pick<Environment, 'output' | 'signal'>): Promise<OpenOutput> | OpenOutput {
  if (given !== '-') return openFile(given)
  const hint = marked`Give a file as ‹output›.`
  if (!output) throw new LifeboatError('standard output takes the result, not data', { hint, status: 2 })
  if ('isTTY' in output && output.isTTY === true) throw new LifeboatError('standard output is a terminal', {
    hint: marked`Redirect it into a file or a program, or give a file as ‹output›.`, status: 2 })
  return streamOutput(output, signal)
}

function streamOutput(stream: Writable, signal: AbortSignal): OpenOutput {
  let failure: unknown
  const onError = (error: unknown): void => void (failure = error)
  stream.on('error', onError)
  const requireOpen = (): void => {
    signal.throwIfAborted()
    if (failure === undefined && !stream.destroyed) return
    const isPipe = failure instanceof Error && 'code' in failure && failure.code === 'EPIPE'
    throw new LifeboatError(`standard output was closed before everything was written: ${messageOf(failure)}`, {
      cause: failure, ...(isPipe && { status: CLOSED_PIPE }),
    })
  }
  return {
    async write(bytes) {
      requireOpen()
      // A copy: the stream may keep what it cannot pass on, and `bytes` are valid until the next are asked for.
      if (!stream.write(Buffer.from(bytes))) await once(stream, 'drain', { signal }).catch(onError)
      requireOpen()
    },
    async finish() {
      await new Promise<void>((resolve) => void stream.write('', () => resolve()))
      requireOpen()
    },
    async close() {
      stream.off('error', onError)
    },
  }
}

async function openFile(file: string): Promise<OpenOutput> {
  // Also a link that leads nowhere.
  if (await lstat(file).then(() => true, () => false)) throw exists(file)
  const partial = path.join(path.dirname(file), `.lifeboat-extract-${randomBytes(4).toString('hex')}`)
  const unwritable = (cause: unknown): never => {
    if (cause instanceof LifeboatError) throw cause
    throw new LifeboatError(`${file} cannot be written: ${messageOf(cause)}`, { cause, hint: marked`Give another file as ‹output›.` })
  }
  const handle = await open(partial, 'wx', 0o600).catch(unwritable)
  let done = false
  return {
    async write(bytes) {
      await handle.writeFile(bytes).catch(unwritable)
    },
    async finish() {
      await handle.sync().catch(unwritable)
      await giveName(partial, file).catch(unwritable)
      done = true
    },
    async close() {
      await handle.close()
      if (!done) await rm(partial, { force: true })
    },
  }
}

/** Renames a file that has no other name. A file that has got the new name meanwhile is not replaced if the file system can link. */
async function giveName(partial: string, file: string): Promise<void> {
  try {
    await link(partial, file)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'EEXIST') throw exists(file)
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw cause
    return rename(partial, file)
  }
  await rm(partial)
}

function exists(file: string): LifeboatError {
  return new LifeboatError(`${file} exists already`, { hint: marked`Remove it, or give another file as ‹output›.`, status: 2 })
}

import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../error.ts'
import { MachineFailure } from '../../process/machine-failure.ts'
import { newHeader, openAgeHeader } from './age.ts'
import type { Assignment, Done, Opening, Sealing, SealingOutcome } from './thread.ts'

/**
 * Sealing: zstd (RFC 8878), then age (https://age-encryption.org/v1). Threads do all of it but the headers. They start when there is work,
 * and end when there was none for a second. Their garbage is collected in the thread, whose heap is small.
 */
const IDLE_MS = 1000

/**
 * A chunk compressed and encrypted to every recipient, by one of so many threads: as a difference where that is asked for and small enough.
 * The plaintext, in shared memory, must stay as it is until then; a base is used up, with the whole buffer it is in. A difference has no
 * level. Throws a MachineFailure if no thread can do it.
 */
export async function seal(
  plaintext: Uint8Array,
  { recipients, threads, ...how }: Omit<Sealing, 'plaintext' | 'header' | 'fileKey'> & { recipients: readonly string[]; threads: number },
): Promise<{ sealed: Buffer; level: number | undefined }> {
  const { header, fileKey } = await newHeader(recipients)
  const done = await idlest(threads).do(
    { sealing: { plaintext, header, fileKey, ...how } }, how.difference ? [how.difference.base.buffer] : [],
  )
  return { sealed: bufferOf(done), level: done.level }
}

/**
 * The plaintext of a sealed chunk, of at most `size` bytes, and the id and the sum it has; throws when it is damaged, or not sealed to this
 * identity, and a MachineFailure if no thread can open it. The sealed chunk is used up, with the whole buffer it is in.
 */
export async function unseal(
  sealed: Uint8Array, { identity, ...how }: Pick<Opening, 'idKey' | 'size' | 'base'> & { identity: string },
): Promise<{ plaintext: Buffer; id: string; sum: string }> {
  const { payload, fileKey } = await openAgeHeader(sealed, identity)
  // Small buffers are cut from one that Node shares among them.
  const own = payload.buffer.byteLength > Buffer.poolSize ? payload : new Uint8Array(payload)
  const done = await idlest(1).do({ opening: { payload: own, fileKey, ...how } }, [own.buffer])
  return { plaintext: bufferOf(done), id: done.id!, sum: done.sum! }
}

function bufferOf({ bytes }: Done): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

class Thread {
  // Beside this file as a source, beside the bundle when it is built.
  readonly #worker = new Worker(path.join(import.meta.dirname, `thread${path.extname(import.meta.filename)}`), { env: {}, execArgv: [] })
  readonly #waiting = new Map<number, { resolve: (done: Done) => void; reject: (error: unknown) => void }>()
  #assigned = 0
  #rest: NodeJS.Timeout | undefined

  constructor() {
    this.#worker.unref()
    this.#worker.on('message', (outcome: SealingOutcome) => this.#take(outcome))
    this.#worker.on('messageerror', (error) => this.#fail(error))
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('exit', () => this.#fail(new Error('it ended')))
  }

  /** Jobs that it was given and has not finished. */
  get load(): number {
    return this.#waiting.size
  }

  do(work: Omit<Assignment, 'number'>, given: ArrayBufferLike[]): Promise<Done> {
    clearTimeout(this.#rest)
    // The process lives on while there is work.
    this.#worker.ref()
    const number = this.#assigned++
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      try {
        this.#worker.postMessage({ number, ...work } satisfies Assignment, given.filter((buffer) => buffer instanceof ArrayBuffer))
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  #take({ number, done, failure, byMachine }: SealingOutcome): void {
    const { resolve, reject } = this.#waiting.get(number)!
    this.#waiting.delete(number)
    if (done) resolve(done)
    else reject(byMachine ? threadFailure(failure!) : new Error(failure))
    if (this.#waiting.size > 0) return
    this.#worker.unref()
    this.#rest = setTimeout(() => this.#end(), IDLE_MS).unref()
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(threadFailure(messageOf(error), error))
    this.#waiting.clear()
    this.#end()
  }

  #end(): void {
    running.delete(this)
    void this.#worker.terminate()
  }
}

const running = new Set<Thread>()

/** A thread without work, or a new one; if there are `most` already, the one with the least work. */
function idlest(most: number): Thread {
  const [least] = [...running].toSorted((one, other) => one.load - other.load)
  if (least && (least.load === 0 || running.size >= most)) return least
  const thread = newThread()
  running.add(thread)
  return thread
}

function newThread(): Thread {
  try {
    return new Thread()
  } catch (error) {
    throw threadFailure(messageOf(error), error)
  }
}

function threadFailure(reason: string, cause?: unknown): MachineFailure {
  return new MachineFailure(`a thread that seals and opens chunks failed: ${reason}`, cause)
}

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import path from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { giveBack, giveBackLarge } from './buffers.ts'

export interface ChildOptions {
  /** The whole environment of the child; nothing is inherited but what tells whose child it is. */
  environment: Readonly<Record<string, string>>
  /** Aborting it stops the child: `stopSignal`, then SIGKILL. */
  signal?: AbortSignal
  /** Default: SIGTERM. */
  stopSignal?: NodeJS.Signals
  /** The most bytes that the child may allocate, where the system can limit that (Linux). */
  memory?: number
  /** Bytes of the end of stderr that are kept, and a sixteenth as many of its beginning. Default: 256 KiB. */
  stderrLimit?: number
  /** The folder it is started in. Default: that of this process. */
  folder?: string
  /** The number of the user, and of the group, that it runs as; for root alone. Default: those of this process. */
  user?: number
  /** Called with each piece of stderr, as it comes. */
  onStderr?: (text: string) => void
}

/** A running program. Its owner reads `stdout` to its end, or awaits `exit`, or awaits `stop()`. */
export interface Child {
  /**
   * Its output, to be read at once; each piece is valid until the next is asked for. Iterating throws `ChildError` unless it exited with 0,
   * and the signal's reason after an abort. Leaving the loop early stops the child.
   */
  readonly stdout: AsyncIterable<Buffer>
  /** Resolves when it has ended and its pipes are closed, however it ended. Needs `stdout` to be read or ignored. */
  readonly exit: Promise<Exit>
  /** Feeds stdin. Resolves once the pipe took the bytes: true, or false when the child reads no more (its exit status says why). */
  readonly write: (bytes: Uint8Array) => Promise<boolean>
  /** Ends stdin. */
  readonly end: () => void
  /** Sends `stopSignal`, then SIGKILL after `graceMs`; resolves when it is gone. Does nothing if it has ended. */
  readonly stop: () => Promise<void>
}

export interface Exit {
  status: number | null
  signal: NodeJS.Signals | null
  /** Its stderr; if it is long, its beginning and its end. */
  stderr: string
  /** Why it could not be started at all. */
  failure?: Error
}

/** A program that could not be started, or did not exit with 0. */
export class ChildError extends Error {
  readonly program: string
  readonly exit: Exit

  constructor(program: string, exit: Exit) {
    super(`${program} ${ending(exit)}`, exit.failure && { cause: exit.failure })
    this.name = 'ChildError'
    this.program = program
    this.exit = exit
  }
}

const graceMs = 4000

/** By this variable an action's post step finds the children of a run that was killed. */
export const RUN_VARIABLE = 'LIFEBOAT_RUN'

/** The runner's own mark, by which it ends what a job has left behind, and ours. */
function marks(): Record<string, string> {
  return Object.fromEntries(
    ['RUNNER_TRACKING_ID', RUN_VARIABLE].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
}

/** Starts a program, by its path and without a shell. */
export function startChild(program: string, parameters: readonly string[], options: ChildOptions): Child {
  const { environment, signal, stopSignal = 'SIGTERM', folder, memory, user } = options
  signal?.throwIfAborted()
  const child = spawn(...limited(program, parameters, memory), {
    env: { ...marks(), ...environment },
    stdio: 'pipe',
    shell: false,
    cwd: folder,
    ...(user !== undefined && { uid: user, gid: user }),
  })
  // A write error means that the child reads no more: write() answers false, and the exit status tells why.
  child.stdin.on('error', () => undefined)
  const exit = exitOf(child, options)
  const stop = stopOf(child, stopSignal, exit)
  if (signal) stopOnAbort(signal, stop, exit)
  return {
    stdout: { [Symbol.asyncIterator]: () => outputOf(path.basename(program), child, { exit, stop, signal }) },
    exit,
    write: (bytes) => new Promise((resolve) => child.stdin.write(bytes, (error) => resolve(!error))),
    end: () => void child.stdin.end(),
    stop,
  }
}

const running = new Set<ChildProcessWithoutNullStreams>()

/** If this process exits without waiting, on a second SIGINT, its children end with it. */
function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

function exitOf(child: ChildProcessWithoutNullStreams, { stderrLimit = 256 * 1024, onStderr }: ChildOptions): Promise<Exit> {
  let failure: Error | undefined
  child.on('error', (error) => (failure ??= error))
  const stderr = endsOf(child.stderr, stderrLimit)
  if (onStderr) child.stderr.on('data', (bytes: Buffer) => onStderr(bytes.toString()))
  if (running.size === 0) process.on('exit', killAll)
  running.add(child)
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      running.delete(child)
      if (running.size === 0) process.off('exit', killAll)
      resolve({ status, signal, stderr: stderr(), ...(failure && { failure }) })
    })
  })
}

/** Asks the child to end, and kills it when it has not after `graceMs`. */
function stopOf(child: ChildProcessWithoutNullStreams, stopSignal: NodeJS.Signals, exit: Promise<Exit>): () => Promise<void> {
  let kill: NodeJS.Timeout | undefined
  return async () => {
    if (child.exitCode === null && child.signalCode === null && kill === undefined) {
      child.kill(stopSignal)
      kill = setTimeout(() => child.kill('SIGKILL'), graceMs)
    }
    child.stdout.destroy()
    await exit
    clearTimeout(kill)
  }
}

function stopOnAbort(signal: AbortSignal, stop: () => Promise<void>, exit: Promise<Exit>): void {
  const abort = (): void => void stop()
  signal.addEventListener('abort', abort, { once: true })
  void exit.then(() => signal.removeEventListener('abort', abort))
}

interface Running {
  exit: Promise<Exit>
  stop: () => Promise<void>
  signal: AbortSignal | undefined
}

async function* outputOf(
  name: string,
  { stdout }: ChildProcessWithoutNullStreams,
  { exit, stop, signal }: Running,
): AsyncGenerator<Buffer> {
  // Node drops unread output when the program ends (node:child_process): a late reader would take the rest for the whole.
  if (stdout.readableFlowing) throw new Error(`the output of ${name} was dropped before it was read`)
  let complete = false
  let broken: unknown
  // Of the piece before: `feed` asks for the next one while it still writes the last.
  let used: ArrayBufferLike | undefined
  try {
    // Reading the socket this way takes 1 to 2 GB/s; wider reads and other ways to iterate are no faster.
    for await (const bytes of stdout as AsyncIterable<Buffer>) {
      yield bytes
      if (used) giveBack(used)
      used = bytes.length === bytes.buffer.byteLength ? bytes.buffer : undefined
    }
    complete = true
  } catch (error) {
    broken = error
  } finally {
    if (!complete) await stop()
  }
  const ended = await exit
  signal?.throwIfAborted()
  if (ended.status !== 0 || ended.failure) throw new ChildError(name, ended)
  if (broken) throw broken
}

/** Node cannot set limits of a child; a shell can, and is then replaced by the program. */
function limited(program: string, parameters: readonly string[], memory?: number): [string, readonly string[]] {
  if (memory === undefined) return [program, parameters]
  return ['/bin/sh', ['-c', 'ulimit -d "$0" 2>/dev/null; exec "$@"', String(Math.floor(memory / 1024)), program, ...parameters]]
}

/**
 * Writes all of `input` to the child's stdin and ends it. When the child stops reading, the rest of the input is not asked for, or, with
 * `toTheEnd`, read and dropped if the child ended well: an input that checks itself does so at its end. With `spent`, no other code uses a
 * piece after it is written: large ones are given back. When the input throws, the child is stopped before its stdin closes, so that it
 * never takes half of an input for the whole, and the error is thrown.
 */
export async function feed(
  child: Child,
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { toTheEnd = false, spent = false } = {},
): Promise<void> {
  const write = async (bytes: Uint8Array): Promise<boolean> => {
    const taken = await child.write(bytes)
    if (taken && spent) giveBackLarge(bytes)
    return taken
  }
  try {
    let taken = Promise.resolve(true)
    for await (const bytes of input) {
      if (await taken) taken = write(bytes)
      else if (!toTheEnd || (await child.exit).status !== 0) return
    }
    await taken
  } catch (error) {
    await child.stop()
    throw error
  }
  child.end()
}

/** Runs a small command to its end: everything it prints, or `ChildError`. */
export async function runChild(
  program: string,
  parameters: readonly string[],
  options: ChildOptions & { input?: string },
): Promise<{ stdout: string; stderr: string }> {
  const child = startChild(program, parameters, options)
  const feeding = feed(child, options.input === undefined ? [] : [Buffer.from(options.input)])
  const stdout = await collect(child)
  await feeding
  return { stdout, stderr: (await child.exit).stderr }
}

/** A child printed more than it may. */
export class TooMuchOutput extends Error {}

/**
 * All that a child prints. Throws what iterating `stdout` does, and `TooMuchOutput` after more than `most` bytes. Nothing more is read
 * while `onPiece` is at work: a child with much to print waits.
 */
export async function collectBytes(child: Child, most: number, onPiece?: (bytes: Buffer) => Promise<void>): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of child.stdout) {
    size += piece.length
    if (size > most) throw new TooMuchOutput(`more than ${most} bytes`)
    pieces.push(Buffer.from(piece))
    await onPiece?.(pieces.at(-1)!)
  }
  return Buffer.concat(pieces)
}

/** The lines that a child prints, many at a time, without their ends. Throws what iterating `stdout` does. */
export async function* linesOf(child: Child): AsyncGenerator<string[]> {
  let rest = Buffer.alloc(0)
  for await (const bytes of child.stdout) {
    const end = bytes.lastIndexOf(10)
    const whole = Buffer.concat([rest, bytes.subarray(0, Math.max(end, 0))])
    if (end >= 0) yield whole.toString().split('\n')
    rest = end < 0 ? Buffer.concat([rest, bytes]) : Buffer.from(bytes.subarray(end + 1))
  }
  if (rest.length > 0) yield rest.toString().split('\n')
}

/** All that a child prints. Throws what iterating `stdout` does. */
export async function collect(child: Child): Promise<string> {
  const decoder = new StringDecoder()
  let printed = ''
  for await (const bytes of child.stdout) printed += decoder.write(bytes)
  return printed + decoder.end()
}

function ending(exit: Exit): string {
  if (exit.failure) return `could not be started: ${exit.failure.message}`
  return exit.signal ? `was ended by ${exit.signal}` : `ended with exit status ${exit.status}`
}

/**
 * Keeps the last `limit` bytes of a stream, and before them the first of a sixteenth of that: an error may come before a query of any
 * length. Both in whole lines: of a secret that was cut in two the rest would not be recognised.
 */
function endsOf(stream: NodeJS.ReadableStream, limit: number): () => string {
  let first = Buffer.alloc(0)
  let kept: Buffer[] = []
  let [size, all] = [0, 0]
  stream.on('data', (bytes: Buffer) => {
    if (first.length < limit >> 4) first = Buffer.concat([first, bytes.subarray(0, (limit >> 4) - first.length)])
    kept.push(bytes)
    size += bytes.length
    all += bytes.length
    if (size > 2 * limit) {
      kept = [Buffer.concat(kept).subarray(-limit)]
      size = limit
    }
  })
  return () => {
    const end = Buffer.concat(kept).subarray(-limit)
    if (end.length === all) return end.toString()
    const start = end.indexOf(10) + 1
    const beginning = first.subarray(0, all - end.length)
    return Buffer.concat([beginning.subarray(0, beginning.lastIndexOf(10) + 1), end.subarray(start < end.length ? start : 0)]).toString()
  }
}

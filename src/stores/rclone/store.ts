import { randomBytes } from 'node:crypto'
import { type Child, startChild } from '../../process/child.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import type { RcloneDestination } from './destination.ts'
import type { StoreEnvironment } from '../kind.ts'
import { request } from '../../net/http.ts'
import { failureIn, RcloneLog } from './log.ts'
import { retry, Transient } from '../../net/retry.ts'
import { DamagedObject, type Store, type StoredObject } from '../store.ts'
import { WebdavStore } from '../webdav/store.ts'

export interface RcloneOptions extends Pick<StoreEnvironment, 'variables' | 'signal'> {
  /** Milliseconds that a request may take with all its retries. */
  timeout: number
  /** Milliseconds of the first pause between tries. */
  pause?: number
}

/** Milliseconds within which rclone has to serve, where the timeout is not shorter: it looks at the remote first. */
const START_LIMIT = 60_000
/** How often rclone is started when its remote is in trouble. */
const STARTS = 3

/**
 * A store in a remote of the user's own rclone, which serves it over WebDAV on loopback for as long as the store is open.
 * Objects are put under a temporary name and moved, so they appear whole on remotes that can move or copy on their side.
 */
export class RcloneStore implements Store {
  readonly name: string
  readonly #destination: RcloneDestination
  readonly #options: RcloneOptions
  #serving: Promise<Served> | undefined
  #child: Child | undefined

  constructor(destination: RcloneDestination, options: RcloneOptions) {
    this.#destination = destination
    this.#options = options
    this.name = destination.text
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#through((store) => store.put(key, bytes))
  }

  get(key: string, most: number): Promise<Buffer> {
    return this.#through((store) => store.get(key, most))
  }

  head(key: string): Promise<StoredObject> {
    return this.#through((store) => store.head(key))
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const served = await this.#served()
    const since = served.log.length
    try {
      yield* served.store.list(prefix)
    } catch (error) {
      throw this.#explained(error, served, since)
    }
  }

  delete(key: string): Promise<void> {
    return this.#through((store) => store.delete(key))
  }

  free(): Promise<number | undefined> {
    return this.#through((store) => store.free())
  }

  sweep(): Promise<void> {
    return this.#through((store) => store.sweep())
  }

  async close(): Promise<void> {
    try {
      // If it never served, there is nothing to clean up, and each request has failed with the cause.
      const served = await this.#serving?.catch(() => undefined)
      await served?.store.close()
    } finally {
      await this.#child?.stop()
    }
  }

  async #through<T>(work: (store: WebdavStore) => Promise<T>): Promise<T> {
    const served = await this.#served()
    const since = served.log.length
    try {
      return await work(served.store)
    } catch (error) {
      throw this.#explained(error, served, since)
    }
  }

  /** rclone's own words on a failure give the reason; its answer over WebDAV says only that there was one. */
  #explained(error: unknown, { host, log }: Served, since: number): unknown {
    if (this.#options.signal.aborted || !(error instanceof LifeboatError) || error instanceof DamagedObject) return error
    const [message, said] = [error.message.replaceAll(host, 'rclone'), log.failureSince(since)]
    return new LifeboatError(said === '' || message.includes(said) ? message : `${message}; rclone says: ${said}`, {
      cause: error,
      hint: error.hint,
    })
  }

  #served(): Promise<Served> {
    const { signal, timeout, pause } = this.#options
    this.#serving ??= retry((limit) => this.#start(limit), { signal, budget: timeout, attempts: STARTS, pause })
    return this.#serving
  }

  async #start(limit: number): Promise<Served> {
    const { remote, path, text } = this.#destination
    const { variables, signal, timeout, pause } = this.#options
    const [user, password] = [randomBytes(9).toString('base64url'), randomBytes(24).toString('base64url')]
    const environment = Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    )
    const { promise: listening, resolve } = Promise.withResolvers<string>()
    const log = new RcloneLog()
    const onStderr = (piece: string): void => {
      log.add(piece)
      const url = /WebDav Server started on \[?(http:\/\/127\.0\.0\.1:\d+)\//i.exec(log.text)?.[1]
      if (url !== undefined) resolve(url)
    }
    // Arguments are shown to every user of the machine: user and password go by the variables of the options --user and --pass.
    const child = startChild('rclone', [...SERVE, `${remote}:${path}`], {
      environment: { ...patience(timeout), RCLONE_DIR_CACHE_TIME: REMEMBERED, ...environment, RCLONE_USER: user, RCLONE_PASS: password },
      signal,
      onStderr,
    })
    this.#child = child
    const late = AbortSignal.timeout(Math.ceil(Math.min(START_LIMIT, limit)))
    const silent = new Promise<undefined>((done) => late.addEventListener('abort', () => done(undefined), { once: true }))
    const url = await Promise.race([listening, child.exit.then(() => undefined), silent])
    signal.throwIfAborted()
    if (url === undefined) {
      await child.stop()
      const { failure, stderr } = await child.exit
      throw cannotStart(this.#destination, failure, failureIn(stderr), late.aborted)
    }
    await refuseOpenServer(new URL(url), signal).catch(async (error: unknown) => {
      await child.stop()
      throw error
    })

    const ended = new AbortController()
    void child.exit.then(({ stderr }) => ended.abort(hasEnded(text, stderr)))
    // Between us and rclone nothing gets lost; what it waits for is its remote.
    const store = new WebdavStore({
      text,
      base: `${url}/`,
      user,
      password,
      token: undefined,
      timeout,
      silence: timeout,
      pause,
      vague: true,
      signal: AbortSignal.any([signal, ended.signal]),
    })
    return { store, host: new URL(url).host, log }
  }
}

interface Served {
  store: WebdavStore
  host: string
  log: RcloneLog
}

/**
 * How long rclone itself waits for its remote, unless the user has settings of his own: as long as other stores do. It tries single
 * requests again, as it knows which of a service's errors pass; whole operations are tried again here.
 */
function patience(timeout: number): Record<string, string> {
  const silence = `${Math.ceil(timeout / 5)}ms`
  return { RCLONE_TIMEOUT: silence, RCLONE_CONTIMEOUT: silence, RCLONE_LOW_LEVEL_RETRIES: '3' }
}

/**
 * Without a cache of files a PUT is answered when the remote has the object ("rclone mount", "VFS File Caching"). The times of objects are
 * the remote's own, since those that rclone keeps cost a request each on some.
 */
const SERVE = [
  'serve',
  'webdav',
  '--addr',
  '127.0.0.1:0',
  '--baseurl',
  '',
  '--vfs-cache-mode',
  'off',
  '--poll-interval',
  '0',
  '--use-server-modtime',
  '--log-level',
  'NOTICE',
  '--log-file',
  '',
  '--use-json-log=false',
  '--ask-password=false',
]
/**
 * How long rclone remembers a folder, and so does not see what other runs put. Without any memory it lists every folder above an object a
 * dozen times for one put.
 */
const REMEMBERED = '1s'

/** A version of rclone that takes its user and password another way would serve to everyone on the machine. */
async function refuseOpenServer(url: URL, signal: AbortSignal): Promise<void> {
  const { status } = await request(
    url,
    { method: 'PROPFIND', headers: { depth: '0' } },
    { signal, silence: START_LIMIT, maximum: 1024 * 1024 },
  )
  if (status !== 401) {
    throw new LifeboatError(`this version of rclone serves without asking for a password (status ${status})`, {
      hint: 'Install another version of rclone.',
    })
  }
}

function cannotStart({ remote, text }: RcloneDestination, failure: Error | undefined, said: string, late: boolean): LifeboatError {
  if (failure) {
    const missing = 'code' in failure && failure.code === 'ENOENT'
    return new LifeboatError(
      missing ? `rclone is needed for ${text}, and is not installed` : `rclone cannot be started: ${messageOf(failure)}`,
      {
        cause: failure,
        hint: 'Install rclone (https://rclone.org/install/, or the package rclone of your system), with its folder in PATH.',
      },
    )
  }
  if (/didn't find section/.test(said)) {
    return new LifeboatError(`rclone knows no remote ${remote}`, {
      hint:
        '`rclone listremotes` prints those it knows. In a workflow, write its configuration to a file and set RCLONE_CONFIG, or set ' +
        'RCLONE_CONFIG_<REMOTE>_TYPE and the like.',
    })
  }
  const why = [...(late ? ['it did not start in time'] : []), ...(said === '' ? [] : [said])].join('; ') || 'it did not say why'
  return new Transient(`rclone cannot serve ${text}: ${why}`, { hint: `Try \`rclone lsd ${remote}:\` with the same configuration.` })
}

function hasEnded(text: string, stderr: string): LifeboatError {
  return new LifeboatError(`rclone, which serves ${text}, has ended: ${failureIn(stderr) || 'it did not say why'}`, {
    hint: 'Run it again; the stored data is whole.',
  })
}

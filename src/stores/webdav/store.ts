import { randomUUID } from 'node:crypto'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { AGAIN, type Answer, request, TooLong } from '../../net/http.ts'
import { Attempts } from '../attempts.ts'
import { Transient } from '../../net/retry.ts'
import { checkKey, NotFound, tooLarge, type Store, type StoredObject } from '../store.ts'
import { noPlace } from '../place.ts'
import { type FolderContents, INCOMING, isAbandoned, walk } from '../walk.ts'
import { propfindBody, QUOTA, readMultistatus, type Resource, VERSION_PROPERTIES, WANTED } from './multistatus.ts'

export interface WebdavOptions {
  /** How messages name the store; without secrets. */
  text: string
  /** The store's folder: `https://host/path/`. */
  base: string
  user: string | undefined
  password: string | undefined
  /** Sent as a bearer token if there is no user. */
  token: string | undefined
  /** Milliseconds that a request may take with all its retries. */
  timeout: number
  /** Milliseconds without a byte after which a connection is lost, at most what is left of the timeout. Default: a part of it. */
  silence?: number
  /** The server has the same statuses for what may pass and for what it refuses for good: all are tried again. */
  vague?: boolean
  /** Milliseconds of the first pause between tries. */
  pause?: number
  signal: AbortSignal
}

/** Objects that are ever replaced by other content are smaller; larger ones are spared a second request. */
const SMALL = 512 * 1024
/** Objects that are never replaced by other content (docs/format.md, section 1). */
const NEVER_REPLACED = /^(?:snapshots|proofs|chunks|trash)\//
const LARGEST_LISTING = 256 * 1024 * 1024
/** RFC 4918, section 11.3: it passes when the lock is released. */
const LOCKED = 423
/** RFC 4918, section 11.5: the server is full, and will be the next time. */
const INSUFFICIENT_STORAGE = 507
/** For a folder that is not there RFC 4918 wants 409; for a put, nginx has 500, and for a move, mod_dav has 500 and rclone 403. */
const NO_FOLDER = [403, 404, 409, 500]
/** A 500 to one of these is looked at here. */
const WRITING = ['PUT', 'MKCOL', 'MOVE']

/**
 * A store in a folder of a WebDAV server (RFC 4918), laid out like one on a disk. Many servers write a PUT in place, so an object is
 * put under a temporary name and moved.
 */
export class WebdavStore implements Store {
  readonly name: string
  readonly #options: WebdavOptions
  readonly #base: URL
  readonly #attempts: Attempts
  /** Folders that something was put into: a 500 from there has another reason than that they are missing. */
  readonly #folders = new Set<string>()
  /** Names of temporary files of puts that failed, and that may be there. */
  readonly #left = new Set<string>()
  /** Or has tried to. */
  #wrote = false
  /** It has answered as WebDAV servers do. */
  #spoken = false

  constructor(options: WebdavOptions) {
    this.#options = options
    this.#base = new URL(options.base)
    this.#attempts = new Attempts(options)
    this.name = options.text
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    const target = this.#url(key)
    return this.#attempt(
      `write ${key} to ${this.name}`,
      async (silence) => {
        const name = randomUUID()
        const temporary = this.#url(`${INCOMING}/${name}`)
        this.#wrote = true
        let uploaded = false
        try {
          await this.#withFolder(temporary, silence, () =>
            this.#ask('PUT', temporary, silence, { body: bytes, headers: { 'content-type': 'application/octet-stream' } }),
          )
          uploaded = true
          const moved = await this.#withFolder(target, silence, () =>
            this.#ask('MOVE', temporary, silence, { headers: { destination: target.href, overwrite: 'T' } }),
          )
          // RFC 4918, section 9.9.4. A page that asks for a login in some network's name has 200.
          if (moved.status !== 201 && moved.status !== 204) throw this.#refused(moved, target)
        } catch (error) {
          this.#left.add(name)
          const refused = error instanceof Transient ? error.cause : error
          if (!(refused instanceof Refused)) throw error
          await this.#discard(temporary, silence)
          // Two moves to one place get into each other's way on some servers.
          if (error instanceof Refused && uploaded && NO_FOLDER.includes(error.answered)) {
            throw new Transient(error.message, { hint: error.hint, cause: error })
          }
          throw error
        }
        // If they stayed, a line that keeps failing would fill the server.
        if (this.#left.size > 0) await this.#sweepIfPossible(silence)
      },
      { upload: true },
    )
  }

  requirePlace(): Promise<void> {
    const above = new URL('..', this.#base)
    return this.#attempt(`look at ${this.name}`, async (silence) => {
      for (const folder of [this.#base, above]) {
        // The folder above may be closed to this user, or not be of WebDAV.
        const found = await this.#propfind(folder, '0', silence, WANTED).catch((error: unknown) => {
          if (folder === above && error instanceof Refused && error.answered !== 401) return 'unknown'
          throw error
        })
        if (found !== undefined) return
      }
      throw noPlace(this.name, decodeURI(above.pathname))
    })
  }

  get(key: string, most: number): Promise<Buffer> {
    const url = this.#url(key)
    return this.#attempt(`read ${key} from ${this.name}`, async (silence) => {
      const answer = await this.#ask('GET', url, silence, { maximum: most }).catch(async (error: unknown) => {
        if (!(error instanceof TooLong)) throw error
        // A page for people may be in its place.
        await this.#describe(key, silence)
        throw tooLarge(most, key, this.name)
      })
      // A page that shows a folder, or a redirect to it. rclone's server answers 404 also when its remote fails, but
      // not to a question for a description.
      const page = answer.status === 200 && answer.headers.get('content-type')?.startsWith('text/html')
      if (page || [301, 302, 307, 308, 403, 404, 405].includes(answer.status)) await this.#describe(key, silence)
      if (answer.status === 404) throw new Transient(`${url.host} lists ${key}, and does not give it (status 404)`)
      if (await this.#isNothing(answer, url, silence)) throw new NotFound(key, this.name)
      if (answer.status !== 200) throw this.#refused(answer, url)
      const length = answer.headers.get('content-length')
      if (length !== null && !answer.headers.has('content-encoding') && Number(length) !== answer.body.length) {
        throw new Transient(`${url.host} sent ${answer.body.length} of ${length} bytes`)
      }
      if (answer.body.length <= SMALL && !NEVER_REPLACED.test(key)) await this.#confirm(key, answer, silence)
      return answer.body
    })
  }

  head(key: string): Promise<StoredObject> {
    return this.#attempt(`read ${key} from ${this.name}`, (silence) => this.#describe(key, silence))
  }

  list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    return walk(prefix, (folder) => this.#attempt(`list ${this.name}`, (silence) => this.#readFolder(folder, silence)))
  }

  delete(key: string): Promise<void> {
    const url = this.#url(key)
    return this.#attempt(`delete ${key} from ${this.name}`, async (silence) => {
      const answer = await this.#ask('DELETE', url, silence)
      if (!isGood(answer) && !(await this.#isNothing(answer, url, silence))) throw this.#refused(answer, url)
    })
  }

  /** Bytes that the server says may still be stored; undefined when it does not tell. */
  free(): Promise<number | undefined> {
    return this.#attempt(`ask ${this.name} for its free space`, async (silence) => {
      const resources = await this.#propfind(this.#base, '0', silence, QUOTA)
      return resources?.[0]?.available
    })
  }

  sweep(): Promise<void> {
    return this.#attempt(`clean up ${this.name}`, (silence) => this.#sweep(silence))
  }

  /** After a run that wrote, removes what uploads left behind. */
  async close(): Promise<void> {
    const { signal, timeout, silence = timeout / 5 } = this.#options
    if (this.#wrote && !signal.aborted) await this.#sweepIfPossible(silence)
  }

  /** A failure is ignored: the objects are stored, and the next run that writes cleans up. */
  async #sweepIfPossible(silence: number): Promise<void> {
    try {
      await this.#sweep(silence)
    } catch (error) {
      if (!(error instanceof LifeboatError) && error !== this.#options.signal.reason) throw error
    }
  }

  async #sweep(silence: number): Promise<void> {
    const failed = [...this.#left]
    const { files } = (await this.#readFolder(INCOMING, silence)) ?? { files: [] }
    for (const { name, modified } of files) {
      // nginx on a full disk leaves them under a name with a number after it.
      const [upload = ''] = name.split('.')
      if (failed.includes(upload) || isAbandoned(upload, modified)) await this.#ask('DELETE', this.#url(`${INCOMING}/${name}`), silence)
    }
    for (const name of failed) this.#left.delete(name)
  }

  /** Removes a temporary file after a failure, which is what the caller reports; if it stays, it is removed later. */
  async #discard(temporary: URL, silence: number): Promise<void> {
    await this.#ask('DELETE', temporary, silence).catch((error: unknown) => {
      if (!(error instanceof LifeboatError)) throw error
    })
  }

  /** Apache and rclone send as many bytes as the old object had out of the new one when it is replaced just then. */
  async #confirm(key: string, { headers, body }: Answer, silence: number): Promise<void> {
    const read = headers.get('etag')
    if (read === null) return
    const [now] = (await this.#propfind(this.#url(key), '0', silence, [...WANTED, ...VERSION_PROPERTIES])) ?? []
    if (now && (now.etag === undefined || now.etag === read)) return
    // Some servers have two ETags for one version; then nothing has changed lately.
    const rested = Date.parse(headers.get('date') ?? '') - (now?.modified.getTime() ?? 0)
    if (now?.size === body.length && rested > 5000) return
    throw new Transient(`${key} was replaced while it was read`)
  }

  async #describe(key: string, silence: number): Promise<StoredObject> {
    const [resource] = (await this.#propfind(this.#url(key), '0', silence, WANTED)) ?? []
    if (!resource || resource.collection) throw new NotFound(key, this.name)
    return { key, size: resource.size, modified: resource.modified }
  }

  async #readFolder(folder: string, silence: number): Promise<FolderContents | undefined> {
    const resources = await this.#propfind(folder === '' ? this.#base : new URL(`${this.#url(folder).href}/`), '1', silence, WANTED)
    if (resources?.some(({ name, collection }) => name === '' && !collection)) return undefined
    const inside = resources?.filter(({ name }) => name !== '')
    return (
      inside && {
        folders: inside.filter(({ collection }) => collection).map(({ name }) => name),
        files: inside.filter(({ collection }) => !collection),
      }
    )
  }

  /** Undefined when there is nothing there. */
  async #propfind(url: URL, depth: '0' | '1', silence: number, properties: readonly string[]): Promise<Resource[] | undefined> {
    const answer = await this.#ask('PROPFIND', url, silence, {
      headers: { depth, 'content-type': 'application/xml; charset=utf-8' },
      body: propfindBody(properties),
      maximum: LARGEST_LISTING,
    })
    if (await this.#isNothing(answer, url, silence)) return undefined
    if (answer.status !== 207) throw this.#refused(answer, url)
    const resources = readMultistatus(answer.body, url)
    this.#spoken = true
    return resources
  }

  /**
   * Whether an answer says that there is nothing at `url`. For a path that leads through a file mod_dav has 400, lighttpd 403 and nginx
   * 409, which other trouble has as well.
   */
  async #isNothing({ status }: Answer, url: URL, silence: number): Promise<boolean> {
    if (![400, 403, 409].includes(status) || url.pathname === '/') return status === 404 || status === 410
    const above = await this.#propfind(new URL(url.pathname.endsWith('/') ? url.href.replace(/\/+$/, '') : '.', url), '0', silence, WANTED)
    return !above?.[0]?.collection
  }

  /** Folders are made when they turn out to be missing, so that those which are there cost nothing. */
  async #withFolder(url: URL, silence: number, work: () => Promise<Told>): Promise<Told> {
    const folder = new URL('.', url)
    let answer = await work()
    if (NO_FOLDER.includes(answer.status) && !(answer.status === 500 && this.#folders.has(folder.href))) {
      await this.#makeFolder(folder, silence).catch((error: unknown) => {
        throw answer.status === 403 && error instanceof Refused ? this.#refused(answer, url) : error
      })
      // Also where the folder was there: another put may have made it meanwhile.
      answer = await work()
    }
    if (!isGood(answer)) throw this.#refused(answer, url)
    this.#folders.add(folder.href)
    return answer
  }

  /** Makes a folder and what is missing above it, unless it is there. */
  async #makeFolder(folder: URL, silence: number): Promise<void> {
    let answer = await this.#ask('MKCOL', folder, silence)
    const above = new URL('..', folder)
    if ((answer.status === 409 || answer.status === 404) && above.pathname !== folder.pathname) {
      await this.#makeFolder(above, silence)
      answer = await this.#ask('MKCOL', folder, silence)
    }
    if (isGood(answer)) return
    const [there] = (await this.#propfind(folder, '0', silence, WANTED)) ?? []
    if (!there?.collection) throw this.#refused(answer, folder)
  }

  async #ask(
    method: string,
    url: URL,
    silence: number,
    given: { headers?: Record<string, string>; body?: string | Uint8Array; maximum?: number } = {},
  ): Promise<Told> {
    const { signal, user, password, token } = this.#options
    const authorization =
      user !== undefined
        ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
        : token !== undefined
          ? `Bearer ${token}`
          : undefined
    const { headers, body, maximum = 1024 * 1024 } = given
    const answer = {
      method,
      ...(await request(
        url,
        { method, headers: { 'user-agent': 'lifeboat', ...(authorization !== undefined && { authorization }), ...headers }, body },
        { signal, silence, maximum, final: [INSUFFICIENT_STORAGE, ...(WRITING.includes(method) ? [500] : [])] },
      )),
    }
    // Some servers lock a file for as long as another request works on it.
    if (answer.status === LOCKED) {
      this.#attempts.noteAnswer()
      throw new Transient(`${url.host} says that it is locked (status 423)`, {
        hint: 'Another program holds a lock on it; end that, or wait until the lock expires.',
      })
    }
    if (answer.status === 401 || answer.status === INSUFFICIENT_STORAGE) throw new Refused(answer, url)
    return answer
  }

  /**
   * rclone's server has 405 for trouble with its remote; from one that has never spoken WebDAV it means that it does not, and to a PUT or a
   * MKCOL that it takes none.
   */
  #refused(answer: Told, url: URL): LifeboatError {
    const { status, method } = answer
    const refused = new Refused(answer, url)
    const passing = this.#options.vague || status === 500 || (status === 405 && this.#spoken && method !== 'PUT' && method !== 'MKCOL')
    return passing ? new Transient(refused.message, { cause: refused, hint: refused.hint }) : refused
  }

  async #attempt<T>(what: string, work: (silence: number) => Promise<T>, { upload = false } = {}): Promise<T> {
    const { silence, signal } = this.#options
    try {
      return await this.#attempts.try(what, (limit, left) => work(silence === undefined ? limit : Math.min(silence, left)), { upload })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Refused) throw new LifeboatError(`cannot ${what}: ${error.message}`, { cause: error, hint: error.hint })
      throw error
    }
  }

  /** Every character of a key may stand in a URL as it is. */
  #url(key: string): URL {
    return new URL(checkKey(key), this.#base)
  }
}

/** An answer, and what was asked. */
interface Told extends Answer {
  method: string
}

const isGood = ({ status }: Answer): boolean => status >= 200 && status < 300 && status !== 207

const HINTS: Readonly<Record<number, string>> = {
  401:
    marked`Check user and password in the URL, or ‹webdav-token›. Special characters in the URL are percent-encoded; many services ` +
    'want a password made for programs (an app password).',
  403: 'Give the user the right to read and write in the folder.',
  404: 'Check the path of the destination: for Nextcloud it begins with /remote.php/dav/files/USER/.',
  405: 'Check the path of the destination: at this address the server does not speak WebDAV.',
  409: 'Check that no file is where a folder should be.',
  412: 'The server does not replace files by moving others there; choose another destination.',
  501: 'At this address the server does not speak WebDAV.',
  507: 'The server or a quota is full. Free some space or choose another destination; the backups already there are whole.',
}

/** Where it was to store something. */
const WRITING_HINTS: Readonly<Record<number, string>> = {
  405:
    'Check the path of the destination: at this address the server does not speak WebDAV, or allows no uploads (nginx: dav_methods PUT ' +
    'DELETE MKCOL MOVE). Some servers, those written in Go, answer so when their disk or a quota is full.',
  413: 'The server takes no uploads of this size: raise its limit (nginx: client_max_body_size 0; Apache: LimitRequestBody 0).',
  500:
    'Often the disk of the server or a quota is full, or its user may not write there: its error log says which. The backups already ' +
    'there are whole.',
}

/** An answer that will be the same the next time. */
class Refused extends LifeboatError {
  readonly answered: number

  constructor({ status, headers, method }: Told, url: URL) {
    const location = headers.get('location')
    // The path of a redirect may hold a secret.
    const place = location === null ? undefined : URL.parse(location, url.href)
    const scheme = headers.get('www-authenticate')?.split(' ')[0]
    const saying =
      status < 300
        ? `gives an answer that is not WebDAV (status ${status})`
        : status === 401 && scheme !== undefined
          ? `wants another sign-in (status 401, ${scheme})`
          : `refuses (status ${status})`
    if (place && status >= 300 && status < 400) {
      super(`${url.host} redirects to ${place.origin} (status ${status})`, {
        hint:
          'Redirects are not followed, for the password would go along. If it is right, give ' +
          `${place.protocol === 'https:' ? 'webdavs' : 'webdav'}://${place.host} and the path there as the destination.`,
      })
    } else {
      super(`${url.host} ${saying}`, { hint: (WRITING.includes(method) ? WRITING_HINTS[status] : undefined) ?? HINTS[status] ?? AGAIN })
    }
    this.answered = status
  }
}

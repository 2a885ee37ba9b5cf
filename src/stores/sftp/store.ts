import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileEntryWithStats, Stats } from 'ssh2'
import { LifeboatError, messageOf } from '../../error.ts'
import type { SshAccess, SshTarget } from '../../net/ssh/connection.ts'
import type { StoreEnvironment } from '../kind.ts'
import { Attempts } from '../attempts.ts'
import { inParallel } from '../../process/parallel.ts'
import { Transient } from '../../net/retry.ts'
import { AT_ONCE, FAILURE, NO_SUCH_FILE, PERMISSION_DENIED, SftpSession, status } from './session.ts'
import { noPlace } from '../place.ts'
import { checkKey, checkSize, NotFound, type Store, type StoredObject } from '../store.ts'
import { type FolderContents, INCOMING, isAbandoned, walk } from '../walk.ts'

export interface SftpOptions extends Pick<StoreEnvironment, 'variables' | 'signal'> {
  /** How messages name the store; without secrets. */
  text: string
  target: SshTarget
  access: SshAccess
  /** The store's folder: absolute, or relative to where a login starts; empty is that folder itself. */
  path: string
  /** Milliseconds that a request may take with all its retries. */
  timeout: number
  /** Milliseconds of the first pause between tries. */
  pause?: number
}

/**
 * Bytes of one request: less than what ssh2 would split (31,952), since it sends the rest of a piece only when the first part is done, and
 * rclone waits for bytes in their order.
 */
const PIECE = 30_000

/**
 * A store in a folder of an SFTP server, laid out like one on a disk. A put writes a temporary file, syncs it where the server can
 * (fsync@openssh.com), and renames it into place.
 */
export class SftpStore implements Store {
  readonly name: string
  readonly #options: SftpOptions
  readonly #attempts: Attempts
  #session: Promise<SftpSession> | undefined
  /** Temporary files of puts that failed, as far as they were not removed at once. */
  readonly #left = new Set<string>()
  /** Or has tried to. */
  #wrote = false
  /** The folders that this object has made, each after the one above it. */
  readonly #made: string[] = []

  constructor(options: SftpOptions) {
    this.#options = options
    this.#attempts = new Attempts(options)
    this.name = options.text
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    const target = this.#path(key)
    return this.#attempt(
      `write ${key} to ${this.name}`,
      async (session) => {
        this.#wrote = true
        const temporary = this.#path(`${INCOMING}/${randomUUID()}`)
        try {
          await this.#upload(session, temporary, bytes)
          await this.#moveIntoPlace(session, temporary, target)
        } catch (error) {
          this.#left.add(temporary)
          await this.#discardLeft(session)
          throw error
        }
        await this.#discardLeft(session)
      },
      { upload: true },
    )
  }

  async removeMade(): Promise<void> {
    // In a store that was there, another run may be about to write into them.
    if (this.#made[0] !== parentOf(this.#path(INCOMING))) return
    await this.#attempt(`remove the folder of ${this.name}`, async (session) => {
      for (const folder of this.#made.splice(0).toReversed()) {
        // The server refuses it for one that is not empty.
        await session.request((sftp, done) => sftp.rmdir(folder, (error) => done(error, undefined))).catch((error: unknown) => {
          if (status(error) === undefined) throw error
        })
      }
    })
  }

  async requirePlace(): Promise<void> {
    const { path } = this.#options
    if (path === '' || parentOf(path) === path) return
    const above = parentOf(path)
    const isThere = await this.#attempt(`look for ${above} on ${this.name}`, (session) =>
      session.request<Stats>((sftp, done) => sftp.stat(above, done)).then(() => true, notThere))
    if (!isThere) throw noPlace(this.name, above)
  }

  get(key: string, most: number): Promise<Buffer> {
    const file = this.#path(key)
    return this.#attempt(`read ${key} from ${this.name}`, async (session) => {
      const handle = await found(
        key,
        this.name,
        session
          .request<Buffer>((sftp, done) => sftp.open(file, 'r', done))
          .catch(async (error: unknown) => {
            // proftpd refuses to open a folder, and what leads through a file.
            if (status(error) === PERMISSION_DENIED && !(await this.#stat(session, file).catch(notThere))) return undefined
            throw error
          }),
      )
      return this.#readAll(session, handle, most, key).catch((error: unknown) => {
        // rclone's server, when the object is replaced while it is read: some failure, or the file that was opened does not exist.
        throw [FAILURE, NO_SUCH_FILE].includes(status(error) ?? -1) ? new Transient(messageOf(error), { cause: error }) : error
      })
    })
  }

  async #readAll(session: SftpSession, handle: Buffer, most: number, key: string): Promise<Buffer> {
    try {
      const { size } = await found(key, this.name, session.request<Stats>((sftp, done) => sftp.fstat(handle, done)).then(isFile))
      checkSize(size, most, key, this.name)
      return await readPieces(session, handle, size)
    } finally {
      if (!session.ended) await session.request((sftp, done) => sftp.close(handle, (error) => done(error, undefined)))
    }
  }

  head(key: string): Promise<StoredObject> {
    return this.#attempt(`read ${key} from ${this.name}`, async (session) => {
      const { size, mtime } = await found(key, this.name, this.#stat(session, this.#path(key)))
      return { key, size, modified: new Date(mtime * 1000) }
    })
  }

  list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    return walk(prefix, (folder) => this.#attempt(`list ${this.name}`, (session) => this.#readFolder(session, folder)))
  }

  delete(key: string): Promise<void> {
    return this.#attempt(`delete ${key} from ${this.name}`, (session) => remove(session, this.#path(key)))
  }

  /** Bytes that the server's disk has room for; undefined when the server does not tell. */
  free(): Promise<number | undefined> {
    return this.#attempt(`ask ${this.name} for its free space`, async (session) => {
      const answer = await session.extension<{ f_frsize: number; f_bavail: number }>((sftp, done) =>
        sftp.ext_openssh_statvfs(this.#path(''), done),
      )
      return answer && answer.value.f_frsize * answer.value.f_bavail
    })
  }

  sweep(): Promise<void> {
    return this.#attempt(`clean up ${this.name}`, (session) => this.#sweep(session))
  }

  /** After a run that wrote, removes what uploads left behind. */
  async close(): Promise<void> {
    // If it could not be opened, there is nothing to close, and each request has failed with the cause.
    const session = await this.#session?.catch(() => undefined)
    if (!session) return
    try {
      if (this.#wrote && !session.ended) await this.#sweep(session)
    } catch (error) {
      // The objects are stored; the next run that writes cleans up.
      if (!(error instanceof LifeboatError) && status(error) === undefined && error !== this.#options.signal.reason) throw error
    } finally {
      session.close()
    }
  }

  async #sweep(session: SftpSession): Promise<void> {
    await this.#discardLeft(session)
    const { files } = (await this.#readFolder(session, INCOMING)) ?? { files: [] }
    for (const { name, modified } of files) {
      if (isAbandoned(name, modified)) await remove(session, this.#path(`${INCOMING}/${name}`)).catch(unlessNotOurs)
    }
  }

  /** After a failure, which the caller reports. Files that cannot be removed now are removed with the next put, or in the end. */
  async #discardLeft(session: SftpSession): Promise<void> {
    const left = [...this.#left]
    for (const temporary of left) {
      if (session.ended) return
      // Several puts may come here at the same time.
      if (!this.#left.delete(temporary)) continue
      try {
        await remove(session, temporary)
      } catch (error) {
        this.#left.add(temporary)
        if (status(error) === undefined && !(error instanceof Transient)) throw error
      }
    }
  }

  async #attempt<T>(what: string, work: (session: SftpSession) => Promise<T>, { upload = false } = {}): Promise<T> {
    try {
      return await this.#attempts.try(what, async (silence) => work(await this.#connected(silence)), { upload })
    } catch (cause) {
      this.#options.signal.throwIfAborted()
      if (status(cause) === undefined) throw cause
      throw new LifeboatError(`cannot ${what}: ${messageOf(cause)}`, { cause, hint: await this.#hint(cause) })
    }
  }

  async #connected(limit: number): Promise<SftpSession> {
    const { target, access, variables, signal } = this.#options
    const session = await this.#session?.catch(() => undefined)
    if (session && !session.ended) return session
    // Of all who find it lost, the first one connects.
    if (this.#session === undefined || session) {
      const opening = SftpSession.open(target, access, { variables, signal, limit })
      this.#session = opening
      opening.catch(() => {
        // Its callers get the error; the next one tries again.
        if (this.#session === opening) this.#session = undefined
      })
    }
    return this.#session
  }

  async #upload(session: SftpSession, temporary: string, bytes: Uint8Array): Promise<void> {
    const open = (): Promise<Buffer> => session.request<Buffer>((sftp, done) => sftp.open(temporary, 'wx', 0o600, done))
    const handle = await open().catch(async (error: unknown) => {
      if (status(error) !== NO_SUCH_FILE) throw error
      await this.#makeFolder(session, this.#path(INCOMING))
      return open()
    })
    const close = (): Promise<void> => session.request((sftp, done) => sftp.close(handle, (error) => done(error, undefined)))
    try {
      await writePieces(session, handle, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      await session.extension((sftp, done) => sftp.ext_openssh_fsync(handle, (error) => done(error, undefined)))
    } catch (error) {
      if (!session.ended) {
        await close().catch((again: unknown) => {
          // Why the write failed is the reason.
          if (status(again) === undefined && !(again instanceof Transient)) throw again
        })
      }
      // rclone's server, when it was so busy that one piece had to wait for the one before it for more than a second.
      throw status(error) === FAILURE && messageOf(error) === 'Illegal seek'
        ? new Transient('its pieces came out of order', { cause: error })
        : error
    }
    await close()
  }

  /** Folders are made when they turn out to be missing, so that those which are there cost nothing. */
  async #moveIntoPlace(session: SftpSession, temporary: string, target: string): Promise<void> {
    try {
      await this.#rename(session, temporary, target)
    } catch (error) {
      if (status(error) !== NO_SUCH_FILE) throw error
      await this.#makeFolder(session, parentOf(target))
      await this.#rename(session, temporary, target).catch((again: unknown) => {
        // rclone's server, when others replace the same object at this moment.
        throw status(again) === NO_SUCH_FILE ? new Transient(messageOf(again), { cause: again }) : again
      })
    }
  }

  async #rename(session: SftpSession, from: string, to: string): Promise<void> {
    if (await session.extension((sftp, done) => sftp.ext_openssh_rename(from, to, (error) => done(error, undefined)))) return
    // The rename of the protocol itself does not replace. The old file is renamed first, so that a kill in between loses nothing,
    // and a reader sees the old object, none, or the new one.
    const aside: string[] = []
    for (let tries = 1; ; tries++) {
      try {
        await plainRename(session, from, to)
        break
      } catch (error) {
        if (status(error) !== FAILURE || tries === 20) throw error
        // A random pause, so that runs which replace the same object do not collide with each attempt.
        if (tries > 1) await sleep(Math.random() * 50, undefined, { signal: this.#options.signal })
        const place = this.#path(`${INCOMING}/${randomUUID()}`)
        if (await plainRename(session, to, place).then(() => true, notThere)) aside.push(place)
      }
    }
    for (const place of aside) await remove(session, place)
  }

  /** Makes a folder and what is missing above it. */
  async #makeFolder(session: SftpSession, folder: string): Promise<void> {
    const make = async (): Promise<void> => {
      await session.request((sftp, done) => sftp.mkdir(folder, { mode: 0o700 }, (error) => done(error, undefined)))
      this.#made.push(folder)
    }
    try {
      await make()
    } catch (error) {
      const there = await session.request<Stats>((sftp, done) => sftp.stat(folder, done)).then((stats) => stats.isDirectory(), notThere)
      if (there) return
      if (status(error) !== NO_SUCH_FILE || parentOf(folder) === folder) throw error
      await this.#makeFolder(session, parentOf(folder))
      await make().catch((again: unknown) => {
        // Another one made it at the same moment.
        if (status(again) !== FAILURE) throw again
      })
    }
  }

  async #readFolder(session: SftpSession, folder: string): Promise<FolderContents | undefined> {
    let entries
    try {
      entries = await session.request<FileEntryWithStats[]>((sftp, done) => sftp.readdir(this.#path(folder), done))
    } catch (error) {
      if (status(error) === NO_SUCH_FILE) return undefined
      throw error
    }
    const files = entries.filter(({ attrs }) => attrs.isFile())
    return {
      folders: entries.filter(({ attrs }) => attrs.isDirectory()).map(({ filename }) => filename),
      files: files.map(({ filename, attrs }) => ({ name: filename, size: attrs.size, modified: new Date(attrs.mtime * 1000) })),
    }
  }

  /** Undefined for what is there, but is no file. */
  #stat(session: SftpSession, file: string): Promise<Stats | undefined> {
    return session.request<Stats>((sftp, done) => sftp.stat(file, done)).then(isFile)
  }

  /** Of a key, or of the store's own folder for an empty one. */
  #path(key: string): string {
    const { path } = this.#options
    if (key === '') return path || '.'
    return `${path === '' || path.endsWith('/') ? path : `${path}/`}${checkKey(key)}`
  }

  async #freeIfTold(): Promise<number | undefined> {
    try {
      return await this.free()
    } catch {
      // A server that does not tell that either has no more to say than its error.
      return undefined
    }
  }

  async #hint(error: unknown): Promise<string> {
    if (status(error) === PERMISSION_DENIED) {
      return `Give ${this.#options.target.user} the right to read and write in the store's folder on the server.`
    }
    const free = await this.#freeIfTold()
    if (free !== undefined && free < 20_000_000) {
      return (
        `The server's disk is full (${free} bytes free). Free some space or choose another destination; ` +
        'the backups already there are whole.'
      )
    }
    return 'The server says no more. Often its disk or a quota is full, or a file is where a folder should be.'
  }
}

async function writePieces(session: SftpSession, handle: Buffer, bytes: Buffer): Promise<void> {
  await inParallel(offsets(bytes.length), AT_ONCE, (offset) => {
    const length = Math.min(PIECE, bytes.length - offset)
    return session.requestInTurn((sftp, done) => sftp.write(handle, bytes, offset, length, offset, (error) => done(error, undefined)))
  })
}

async function readPieces(session: SftpSession, handle: Buffer, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size)
  await inParallel(offsets(size), AT_ONCE, async (start) => {
    const end = Math.min(start + PIECE, size)
    // A server may answer with less than was asked for.
    for (let offset = start; offset < end; ) {
      const read = await session.requestInTurn<number>((sftp, done) =>
        sftp.read(handle, bytes, offset, end - offset, offset, (error, count) => done(error, count)),
      )
      if (read === 0) throw new Transient(`the file ended after ${offset} of ${size} bytes`)
      offset += read
    }
  })
  return bytes
}

const offsets = (size: number): number[] => Array.from({ length: Math.ceil(size / PIECE) }, (_, index) => index * PIECE)

const plainRename = (session: SftpSession, from: string, to: string): Promise<void> =>
  session.request((sftp, done) => sftp.rename(from, to, (error) => done(error, undefined)))

/** A missing file is no error. */
async function remove(session: SftpSession, file: string): Promise<void> {
  await session.request((sftp, done) => sftp.unlink(file, (error) => done(error, undefined))).catch(notThere)
}

/** Files of another user's upload are for that user to remove. */
function unlessNotOurs(error: unknown): void {
  if (status(error) !== PERMISSION_DENIED) throw error
}

function notThere(error: unknown): false {
  if (status(error) === NO_SUCH_FILE) return false
  throw error
}

async function found<T>(key: string, store: string, asked: Promise<T | undefined>): Promise<T> {
  const answer = await asked.catch((error: unknown) => {
    if (notThere(error)) throw error
    return undefined
  })
  if (answer === undefined) throw new NotFound(key, store)
  return answer
}

const isFile = (stats: Stats): Stats | undefined => (stats.isFile() ? stats : undefined)

function parentOf(path: string): string {
  const end = path.lastIndexOf('/')
  return end > 0 ? path.slice(0, end) : end === 0 ? '/' : '.'
}

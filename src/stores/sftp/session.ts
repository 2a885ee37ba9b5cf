import type { Client, SFTPWrapper } from 'ssh2'
import { LifeboatError, messageOf } from '../../error.ts'
import { connectSsh, type SshAccess, type SshOptions, type SshTarget } from '../../net/ssh/connection.ts'
import { Transient } from '../../net/retry.ts'

/** Most pieces of objects that are under way on a connection: as many bytes as OpenSSH takes before it answers the first (2 MiB). */
export const AT_ONCE = 64
const AT_FIRST = 8
const LEAST_AT_ONCE = 4
/**
 * Milliseconds that a piece may take longer than the fastest did: so long every other request waits behind the pieces that were sent before
 * it.
 */
const QUEUE = 250

type Done<T> = (error: Error | null | undefined, value: T) => void

/** One connection to an SFTP server, for many requests at the same time. It ends for good when the connection does, or stands still. */
export class SftpSession {
  readonly #client: Client
  readonly #sftp: SFTPWrapper
  readonly #where: string
  readonly #options: SshOptions
  readonly #waiting = new Set<(reason: unknown) => void>()
  /** Pieces that wait to be sent, first come first: rclone's server takes them in no other order. */
  readonly #turns: (() => void)[] = []
  #pieces = 0
  #mostPieces = AT_FIRST
  /** Milliseconds. */
  #fastest = Infinity
  #ended: unknown
  #stall: NodeJS.Timeout | undefined

  private constructor(client: Client, sftp: SFTPWrapper, where: string, options: SshOptions) {
    this.#client = client
    this.#sftp = sftp
    this.#where = where
    this.#options = options
    client.on('error', (error) => this.#end(new Transient(`the connection to ${where} was lost: ${error.message}`, { cause: error })))
    client.on('close', () => this.#end(new Transient(`${where} closed the connection`)))
    // It comes before `close`, which waits until all that is still to be sent has gone; over a slow line that takes minutes.
    client.on('end', () => this.#end(new Transient(`${where} closed the connection`)))
    // The server ended the subsystem and kept the connection.
    sftp.on('close', () => this.#end(new Transient(`${where} ended the SFTP session`)))
    sftp.on('error', (error: Error) =>
      this.#end(new Transient(`the SFTP session with ${where} broke off: ${error.message}`, { cause: error })),
    )
    options.signal.addEventListener('abort', this.#abort, { once: true })
  }

  /** `limit` is also how many milliseconds may pass without an answer while there are requests. */
  static async open(target: SshTarget, access: SshAccess, options: SshOptions): Promise<SftpSession> {
    const client = await connectSsh(target, access, options)
    const where = `${target.host}:${target.port}`
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => fail(new Transient(`${where} has not answered for ${Math.round(options.limit / 100) / 10} s`)),
        options.limit,
      )
      const settle = (): void => {
        clearTimeout(late)
        options.signal.removeEventListener('abort', abort)
      }
      const fail = (error: unknown): void => {
        settle()
        client.destroy()
        reject(error)
      }
      const abort = (): void => fail(options.signal.reason)
      options.signal.addEventListener('abort', abort, { once: true })
      client.on('close', () => fail(new Transient(`${where} closed the connection`)))
      client.sftp((error, sftp) => {
        settle()
        if (error) {
          fail(
            new LifeboatError(`${where} offers no SFTP: ${messageOf(error)}`, {
              cause: error,
              hint: 'Its sshd needs `Subsystem sftp`; and the user the right to use it.',
            }),
          )
        } else {
          resolve(new SftpSession(client, sftp, where, options))
        }
      })
    })
  }

  get ended(): boolean {
    return this.#ended !== undefined
  }

  /** One request. Rejects with the server's error, which has a `code` (see `status`), or as `Transient` when the connection ended. */
  request<T = void>(start: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended)
        return
      }
      this.#waiting.add(reject)
      if (this.#waiting.size === 1) this.#watch()
      const answered = (): void => {
        this.#waiting.delete(reject)
        this.#watch()
      }
      const done: Done<T> = (error, value) => {
        answered()
        // ssh2 says this of every request that is under way when the connection ends; the reason comes right after.
        if (error && !('code' in error)) {
          this.#end(new Transient(`the connection to ${this.#where} was lost: ${error.message}`, { cause: error }))
        }
        if (error) reject(this.#ended ?? error)
        else resolve(value)
      }
      try {
        start(this.#sftp, done)
      } catch (error) {
        answered()
        reject(error)
      }
    })
  }

  /**
   * The same for a piece of an object. As many are under way as the line carries in a quarter of a second: over a slow one, each of the
   * small requests of a put would otherwise wait for megabytes. One object's pieces go before the next one's, so that a connection that
   * ends takes few objects with it.
   */
  requestInTurn<T = void>(start: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#turns.push(() => {
        const began = performance.now()
        const answered = (): void => this.#adapt(performance.now() - began)
        this.request(start).finally(answered).then(resolve, reject)
      })
      this.#sendPieces()
    })
  }

  #sendPieces(): void {
    for (; this.#turns.length > 0 && this.#pieces < this.#mostPieces; this.#pieces++) this.#turns.shift()!()
  }

  /** `took`: milliseconds until a piece was answered. */
  #adapt(took: number): void {
    this.#fastest = Math.min(this.#fastest, took)
    this.#mostPieces =
      took - this.#fastest > QUEUE ? Math.max(LEAST_AT_ONCE, this.#mostPieces - 1) : Math.min(AT_ONCE, this.#mostPieces + 1)
    this.#pieces--
    this.#sendPieces()
  }

  /** The same for a request of an extension: undefined when the server does not have it. */
  async extension<T = void>(start: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<{ value: T } | undefined> {
    try {
      return { value: await this.request<T>(start) }
    } catch (error) {
      // ssh2 throws this when the server has not announced the extension.
      const unknown = error instanceof Error && error.message === 'Server does not support this extended request'
      if (unknown || status(error) === UNSUPPORTED) return undefined
      throw error
    }
  }

  close(): void {
    this.#end(new LifeboatError(`the connection to ${this.#where} is closed`))
  }

  #abort = (): void => this.#end(this.#options.signal.reason)

  /** The time begins again with every answer, and runs only while one is due. */
  #watch(): void {
    clearTimeout(this.#stall)
    if (this.#waiting.size === 0 || this.ended) return
    const { limit } = this.#options
    this.#stall = setTimeout(() => this.#end(new Transient(`${this.#where} has not answered for ${Math.round(limit / 100) / 10} s`)), limit)
  }

  #end(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    clearTimeout(this.#stall)
    this.#options.signal.removeEventListener('abort', this.#abort)
    for (const reject of this.#waiting) reject(reason)
    this.#waiting.clear()
    this.#client.destroy()
  }
}

export const NO_SUCH_FILE = 2
export const PERMISSION_DENIED = 3
export const FAILURE = 4
const UNSUPPORTED = 8

/**
 * The status code of an SFTP server's answer (draft-ietf-secsh-filexfer-02, section 7); undefined for any other error. rclone has FAILURE
 * for some files that are not there, and proftpd for paths that lead through a file: then the text tells.
 */
export function status(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') return undefined
  return error.code === FAILURE && /no such file or directory$|^not a directory$/i.test(error.message) ? NO_SUCH_FILE : error.code
}

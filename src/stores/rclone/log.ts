import { beginningOf } from '../../process/cut.ts'

const KEPT = 64 * 1024
const LONGEST = 400

/** The output of an rclone. Only its log says what went wrong with the remote. */
export class RcloneLog {
  #text = ''
  #forgotten = 0

  add(piece: string): void {
    const text = this.#text + piece
    this.#text = text.slice(-KEPT)
    this.#forgotten += text.length - this.#text.length
  }

  /** The end of it. */
  get text(): string {
    return this.#text
  }

  /** Characters so far. */
  get length(): number {
    return this.#forgotten + this.#text.length
  }

  /** The last failure told since the log had so many characters; empty when there is none. */
  failureSince(length: number): string {
    return failureIn(this.#text.slice(Math.max(0, length - this.#forgotten)))
  }
}

const DATE = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /m
/** Notices are about rclone's own settings; the other lines are its web server's. */
const NO_FAILURE = /^(?:NOTICE|INFO|DEBUG) *:|^http: |server started on/i

/** The last failure in rclone's log, in one line. The query of a URL can be a signature, and is left out. */
export function failureIn(text: string): string {
  const entries = text.split(DATE).map((entry) => entry.replaceAll(/\s+/g, ' ').trim())
  const failure = entries.findLast((entry) => entry !== '' && !NO_FAILURE.test(entry)) ?? ''
  const shown = failure.replaceAll(/(\bhttps?:\/\/[^\s"?]*)\?[^\s"]*/g, '$1')
  return shown.length > LONGEST ? `${beginningOf(shown, LONGEST)}…` : shown
}

import { createHash, randomBytes } from 'node:crypto'

/** Bytes of a name (NAMEDATALEN of PostgreSQL, less the zero at its end). */
const LONGEST_NAME = 63

/** The beginning of the names of databases that are restored for this target, and of no other. */
export function newPrefix(target: string): string {
  return `lifeboat_new_${digestOf(target).toString('hex', 0, 4)}_`
}

/** A name that no other database has. */
export function newName(target: string): string {
  return `${newPrefix(target)}${randomBytes(6).toString('hex')}`
}

/** `app_before_20261122_073244`; the next second that is free if another database has that name. */
export function keptName(target: string, time: Date, taken: ReadonlySet<string>): string {
  for (let seconds = 0; ; seconds++) {
    const at = new Date(time.getTime() + seconds * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_')
    const ending = `_before_${at}`
    const name = `${cut(target, LONGEST_NAME - ending.length)}${ending}`
    if (!taken.has(name)) return name
  }
}

/** A number of 32 bits with its sign. */
export function numberOf(target: string): number {
  return digestOf(target).readInt32BE()
}

function digestOf(target: string): Buffer {
  return createHash('sha256').update(target).digest()
}

/** The beginning of a text, whole characters of UTF-8 only. */
function cut(text: string, bytes: number): string {
  let kept = ''
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break
    kept += character
  }
  return kept
}

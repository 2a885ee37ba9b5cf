import { createHmac, timingSafeEqual } from 'node:crypto'
import { FORMAT } from './format.ts'
import type { Keys, MacKind } from './keys.ts'

/**
 * A signed object is one line, `lifeboat/1 <fingerprint> <MAC>`, and the body that the MAC is of (docs/format.md). Anyone can read it; only
 * the write secret can make it. Each kind of object has its own MAC key, so that none can be taken for another.
 */
export interface Signed {
  /** Fingerprint of the key that the object claims to be of. */
  key: string
  mac: string
  body: Buffer
}

const LINE = new RegExp(`^${FORMAT} ([0-9a-f]{16}) ([0-9a-f]{64})$`)
const LINE_LENGTH = FORMAT.length + 1 + 16 + 1 + 64

export function sign(body: string | Uint8Array, keys: Keys, kind: MacKind): Buffer {
  const bytes = Buffer.from(body)
  return Buffer.concat([Buffer.from(`${FORMAT} ${keys.fingerprint} ${macOf(bytes, keys, kind)}\n`), bytes])
}

/** Splits the object; undefined if it does not begin with such a line. Nothing is authenticated yet: see `signerOf`. */
export function splitSigned(bytes: Uint8Array): Signed | undefined {
  const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [, key, mac] = (object[LINE_LENGTH] === 0x0a && LINE.exec(object.toString('latin1', 0, LINE_LENGTH))) || []
  return key === undefined || mac === undefined ? undefined : { key, mac, body: object.subarray(LINE_LENGTH + 1) }
}

/** The one of these keys under which the MAC is that of the body. Undefined also for an object of another key: see `isOfAnotherKey`. */
export function signerOf({ key, mac, body }: Signed, keys: Keys, kind: MacKind): Keys | undefined {
  const claimed = keysNamed(key, keys)
  return claimed && timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(body, claimed, kind))) ? claimed : undefined
}

/** Whether the object claims to be of a key that is not among these, so that its MAC cannot be checked. */
export function isOfAnotherKey({ key }: Signed, keys: Keys): boolean {
  return keysNamed(key, keys) === undefined
}

function keysNamed(fingerprint: string, keys: Keys): Keys | undefined {
  return [keys, ...keys.others].find((one) => one.fingerprint === fingerprint)
}

const TAG_LENGTH = 32

/** The first digits of the MAC of a name: only the key can make them. */
export function tagOf(name: string, keys: Keys, kind: MacKind): string {
  return macOf(Buffer.from(name), keys, kind).slice(0, TAG_LENGTH)
}

/** Whether a tag is that of the name under one of these keys. */
export function isTagged(name: string, tag: string, keys: Keys, kind: MacKind): boolean {
  return (
    tag.length === TAG_LENGTH &&
    [keys, ...keys.others].some((one) => timingSafeEqual(Buffer.from(tag), Buffer.from(tagOf(name, one, kind))))
  )
}

/** hex(HMAC-SHA-256(mac key of the kind, body)). */
function macOf(body: Uint8Array, keys: Keys, kind: MacKind): string {
  return createHmac('sha256', keys.macKeys[kind]).update(body).digest('hex')
}

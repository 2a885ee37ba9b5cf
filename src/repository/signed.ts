import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Keys } from './keys.ts'

/** Signed text is two lines: a JSON document, and the JSON string of its MAC (docs/format.md). Anyone reads it; only who has the write secret makes it. */
export function sign(line: string, keys: Keys): Buffer {
  return Buffer.from(`${line}\n${JSON.stringify(macOf(line, keys))}\n`)
}

/** The two lines taken apart; undefined when there are not exactly these two. Nothing is believed yet: see `signerOf`. */
export function splitSigned(text: Buffer): { line: Buffer; mac: string } | undefined {
  const end = text.indexOf('\n')
  const mac = /^"([0-9a-f]{64})"\n$/.exec(text.toString('latin1', end + 1, end + 100))?.[1]
  return end < 0 || mac === undefined ? undefined : { line: text.subarray(0, end), mac }
}

/** The one of these keys under which the MAC is that of the line. */
export function signerOf({ line, mac }: { line: Buffer; mac: string }, keys: Keys): Keys | undefined {
  return [keys, ...keys.others].find((one) => timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(line, one))))
}

/** hex(HMAC-SHA-256(mac key, line)). */
function macOf(line: string | Buffer, keys: Keys): string {
  return createHmac('sha256', keys.macKey).update(line).digest('hex')
}

import { isUtf8 } from 'node:buffer'

/**
 * The value of JSON text that is written exactly as `JSON.stringify` writes it; undefined for any other, which every schema refuses. So
 * there is one text for a value: a member that occurs twice, white space or bytes that are not UTF-8 are refused. For authenticated or
 * small texts: time and memory grow with the number of values. The parser's message is not passed on, because it quotes the text.
 */
export function parsedJson(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) return undefined
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  try {
    const value: unknown = JSON.parse(text)
    return endOf(value, text, 0) === text.length ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * The end of a value's text that starts at `at`; NaN if `JSON.stringify` would write another text. Makes no second text of a large value.
 */
function endOf(value: unknown, text: string, at: number): number {
  if (Array.isArray(value)) {
    let end = after('[', text, at)
    for (const member of value) end = endOf(member, text, end > at + 1 ? after(',', text, end) : end)
    return after(']', text, end)
  }
  if (typeof value !== 'object' || value === null) return after(JSON.stringify(value), text, at)
  let end = after('{', text, at)
  for (const name of Object.keys(value)) {
    const member: unknown = Reflect.get(value, name)
    end = endOf(member, text, after(`${JSON.stringify(name)}:`, text, end > at + 1 ? after(',', text, end) : end))
  }
  return after('}', text, end)
}

const after = (piece: string, text: string, at: number): number => (text.startsWith(piece, at) ? at + piece.length : Number.NaN)

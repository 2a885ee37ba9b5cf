/**
 * The value of JSON text that is written exactly as `JSON.stringify` writes it; undefined for any other, which every schema refuses. So there is one text for
 * a value: a member that occurs twice, white space or bytes that are not UTF-8 are refused. For authenticated or small texts: what it takes grows with the
 * number of values. The parser's message is not passed on, for it quotes the text.
 */
export function parsedJson(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const value: unknown = JSON.parse(text.toString('utf8'))
    return text.equals(Buffer.from(JSON.stringify(value))) ? value : undefined
  } catch {
    return undefined
  }
}

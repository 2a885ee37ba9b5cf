/** Bytes that are handed on at once. */
const PIECE = 64 * 1024

/** Texts (latin1) with a NUL after each, as `xargs -0` reads them. Those that have one themselves cannot be told. */
export async function* terminated(texts: Iterable<string> | AsyncIterable<string>): AsyncGenerator<Buffer, void, void> {
  let piece = ''
  for await (const text of texts) {
    if (text.includes('\0')) continue
    piece += `${text}\0`
    if (piece.length < PIECE) continue
    yield Buffer.from(piece, 'latin1')
    piece = ''
  }
  yield Buffer.from(piece, 'latin1')
}

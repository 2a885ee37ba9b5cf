/** What JSON text stands for; undefined when it is none, which every schema refuses. What the parser says is not passed on: it quotes what anybody may have written. */
export function parsedJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch {
    return undefined
  }
}

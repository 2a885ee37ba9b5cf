/** Anything shorter would blot out ordinary text, and by that show what it is. */
const SHORTEST = 4

/** The secrets of a run. Every string that is printed goes through `apply`. */
export class Redaction {
  #secrets: string[] = []
  readonly #announce: (secret: string) => void

  /** `announce` is told of every new secret: a workflow's log has a mask of its own. */
  constructor(announce: (secret: string) => void = () => undefined) {
    this.#announce = announce
  }

  add(secret: string): void {
    if (secret.length < SHORTEST || this.#secrets.includes(secret)) return
    // The longest first, so that no rest of a secret that contains another stays behind.
    this.#secrets = [...this.#secrets, secret].toSorted((a, b) => b.length - a.length)
    this.#announce(secret)
  }

  /** `text` with every known secret replaced by `***`. */
  apply(text: string): string {
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '***'), text)
  }
}

/** Everything in the value of a secret input that must not be shown: each line, each URL, each password as it is and percent-encoded. */
export function secretsIn(value: string): string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  return [...new Set(lines.flatMap((line) => [line, ...urlSecrets(line.replace(/^[^=:/?@]*=(?=[a-z]+:\/\/)/i, ''))]))]
}

function urlSecrets(url: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return []
  // A password with an @ or / that should have been encoded: take it up to the first and up to the last @.
  const passwords = [/:\/\/[^:@/]*:([^@/]+)@/, /:\/\/[^:@/]*:(.+)@/].map((pattern) => pattern.exec(url)?.[1])
  const parameters = [...url.matchAll(/[?&](?:ssl)?password=([^&]*)/g)].map((match) => match[1])
  return [url, ...[...passwords, ...parameters].flatMap((raw) => (raw ? [raw, ...otherSpellings(raw)] : []))]
}

function otherSpellings(raw: string): string[] {
  try {
    const plain = decodeURIComponent(raw)
    return [plain, encodeURIComponent(plain)]
  } catch {
    // A stray % decodes to nothing: there is only the raw spelling.
    return [encodeURIComponent(raw)]
  }
}

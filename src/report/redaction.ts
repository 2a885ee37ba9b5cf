import { type Spelling, spelled } from '../marks.ts'

/** Anything shorter would blot out ordinary text, and by that show what it is. */
export const SHORTEST_SECRET = 4

/** The secrets of a run, and how its texts are spelled. Every string that is printed goes through `apply`. */
export class Redaction {
  #secrets: string[] = []
  readonly #announce: (secret: string) => void
  #spell: (text: string) => string

  /** `announce` is told of every new secret: a workflow's log has a mask of its own. */
  constructor({ spelling, announce = () => undefined }: { spelling?: Spelling; announce?: (secret: string) => void } = {}) {
    this.#spell = (text) => text
    if (spelling !== undefined) this.spellAs(spelling)
    this.#announce = announce
  }

  /** From now on texts are spelled like this. */
  spellAs(spelling: Spelling): void {
    this.#spell = (text) => spelled(text, spelling)
  }

  /** Adds a secret in every spelling that programs may give it. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return
    const added = [...new Set(spellings(secret))].filter((spelling) => !this.#secrets.includes(spelling))
    // The longest first, so that no rest of a secret that contains another stays behind.
    this.#secrets = [...this.#secrets, ...added].toSorted((a, b) => b.length - a.length)
    for (const spelling of added) this.#announce(spelling)
  }

  /**
   * `text` as this entry spells it, with every known secret, and whatever is a key to a store, replaced by `***`: before it is spelled,
   * which may quote values, and after, which may add some.
   */
  apply(text: string): string {
    return this.#hidden(this.#spell(this.#hidden(text)))
  }

  #hidden(text: string): string {
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '***'), text).replace(KEYS, '***')
  }

  /** Whether a known secret is in the text. */
  finds(text: string): boolean {
    return this.#secrets.some((secret) => text.includes(secret))
  }

  /**
   * The same result in the spelling of this entry, with keys to stores replaced by `***` in all its strings: a description or a name in a
   * store may hold one by mistake. Other secrets stay: a result is figures, and names that are no secrets.
   */
  applyToResult<T>(result: T): T {
    return withTexts(result, (text) => this.#spell(text.replace(KEYS, '***')))
  }
}

/** age identities and write keys, also without their end. */
const KEYS = /AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{8,}|lifeboat-write:[A-Za-z0-9:_-]{8,}/gi

/** The keys to stores in the value of an input that should not have one. */
export function keysIn(text: string): string[] {
  return text.match(KEYS) ?? []
}

/** The same plain JSON with all its strings changed. Parts that stay the same are not copied: a result may list a million files. */
function withTexts<T>(value: T, change: (text: string) => string): T
function withTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) {
    const clean = value.map((one) => withTexts<unknown>(one, change))
    return clean.every((one, index) => one === value[index]) ? value : clean
  }
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value
  const entries = Object.entries(value)
  const clean = entries.map(([name, one]): [string, unknown] => [change(name), withTexts(one, change)])
  const same = clean.every(([name, one], index) => name === entries[index]![0] && one === entries[index]![1])
  return same ? value : Object.fromEntries(clean)
}

/**
 * Everything that looks like a secret in the value of an input that should not have one: keys to stores, passwords in URLs, and the values
 * of settings that are named like secrets.
 */
export function likelySecrets(text: string): string[] {
  return [...new Set([text, decodedRuns(text)].flatMap((one) => [...keysIn(one), ...passwordsIn(one), ...namedSecrets(one)]))]
}

/**
 * Whether the text may have a secret in it, so that no error quotes it: a word like a token, a value after a word like password, or a pair
 * of a user and a password.
 */
export function looksSecret(text: string): boolean {
  return looksRandom(text) || SPOKEN.test(text) || /(?:^|\s)[\w.-]+:(?=\S*\d)(?=\S*[a-z])[^\s:/.@-]{8,}/i.test(text)
}

/** A long word of letters and digits in no order, with dashes or without. Ids of snapshots are no secrets. */
function looksRandom(text: string): boolean {
  const words = text.replaceAll(/\d{8}T\d{6}Z(?:-[0-9a-f]*)?/g, '').match(/[A-Za-z0-9+/_.-]{20,}/g) ?? []
  return words.some((word) => {
    if ([/[a-z]/, /[A-Z]/, /\d/].every((kind) => kind.test(word))) return true
    const joined = word.replaceAll(/[-_]/g, '')
    const least = /^[0-9a-f]*$/i.test(joined) ? 20 : 32
    return joined.length >= least && /^[a-z0-9]*$/i.test(joined) && /[a-z]/i.test(joined) && /(?:\d.*){5}/.test(joined)
  })
}

function passwordsIn(text: string): string[] {
  const inUrls = [...text.matchAll(/[a-z][a-z0-9+.-]*:\/\/\S+/gi)].flatMap(([url]) => urlSecrets(url).filter((secret) => secret !== url))
  // The user of a store is no secret where a password follows, or a key is given apart from the URL; alone it may be a token.
  const users = text.matchAll(/\b(?:webdavs?|davs?|https?|s3|azblob):\/*([^\s:@/?]+)@/gi)
  // Not the digest of an image.
  const others = text.matchAll(/:([^:@/\s]+)@(?!sha256:)/g)
  return [...inUrls, ...[...users, ...others].flatMap(([, secret]) => bothSpellings(secret!))]
}

/** Words at the end of the names of secrets. */
const NAMES = 'key|access[-_]?key[-_]?id|secret|pass|passwd|password|passphrase|pwd|token|sig|signature|sas|credentials?'
/** `name=value` among parameters, settings or fields, and at the start of a line, where the name may be that of a volume. */
const NAMED = new RegExp(String.raw`(^|[?&;,:"'\s])[\w.-]*(?:${NAMES})[ \t]*=[ \t]*("[^"]*"|'[^']*'|[^&\s]+)`, 'gim')
const IN_JSON = new RegExp(String.raw`"[\w.-]*(?:${NAMES})"\s*:\s*"((?:[^"\\]|\\.)+)"`, 'gi')
/** A secret as people write it: `password: x`, `password x`. */
const SPOKEN = new RegExp(String.raw`(?:${NAMES})["']?(?:\s*[:=]\s*|\s+)["']?[^\s"']{4}`, 'i')
const SHORTEST_VALUE = 6

function namedSecrets(text: string): string[] {
  const inJson = [...text.matchAll(IN_JSON)].map(([, value]) => value!).filter((value) => value.length >= SHORTEST_VALUE)
  const named = [...text.matchAll(NAMED)].flatMap(([, before = '', value = '']) => {
    if (/^\s*$/.test(before) && /^(?:[./~]|[a-z][a-z0-9]*:)/i.test(value)) return []
    const bare = value.replaceAll(/^["']|["']$/g, '')
    // Where it ends depends on what the text should have been.
    const ends = [bare, bare.replace(/[;,"'].*$/s, ''), bare.replace(/[;,:"'].*$/s, '')]
    return ends.filter((one) => one.length >= SHORTEST_VALUE).flatMap(bothSpellings)
  })
  return [...inJson, ...named]
}

function bothSpellings(text: string): string[] {
  return [text, decoded(text)]
}

/** A stray % elsewhere in the text does not matter. */
function decodedRuns(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, decoded)
}

/** Everything in the value of a secret input that must not be shown: each line, each URL, each password as it is and decoded. */
export function secretsIn(value: string): string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
  return [...new Set(lines.flatMap((line) => [line, ...urlSecrets(line.replace(/^[^=:/?@]*=(?=[a-z]+:\/\/)/i, ''))]))]
}

/** A secret as it is, and as it is in JSON, in a URL and in base64. */
function spellings(secret: string): string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed()), ...base64(secret)]
}

/** Base64 without padding, which the URL-safe alphabet leaves out. */
function base64(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
}

function urlSecrets(url: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return []
  // A password with an @ or / that should have been encoded: take it up to the first and up to the last @.
  const pairs = [/:\/\/([^:@/]*):([^@/]+)@/, /:\/\/([^:@/]*):(.+)@/].map((pattern) => pattern.exec(url))
  const passwords = pairs.flatMap((pair) => (pair ? [pair[2]!, decoded(pair[2]!)] : []))
  // A password whose @ is missing stands where a port would, or begins there.
  const [, misplaced] = pairs.some(Boolean) ? [] : (/:\/\/[^:@/?[\]]*:(?!\d{1,5}(?:[,/?]|&[\w.-]+=|$))([^?]+)/.exec(url) ?? [])
  if (misplaced) passwords.push(...[misplaced, misplaced.replace(/\/.*$/s, '')].flatMap(bothSpellings))
  // HTTP's basic authentication.
  const basic = pairs.flatMap((pair) => (pair ? base64(`${decoded(pair[1]!)}:${decoded(pair[2]!)}`) : []))
  const parameters = [...url.matchAll(/[?&](?:ssl)?password=([^&]*)/g)].flatMap((match) => (match[1] ? [match[1], decoded(match[1])] : []))
  return [url, ...passwords, ...basic, ...parameters]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray % decodes to nothing: there is only the raw spelling.
    return text
  }
}

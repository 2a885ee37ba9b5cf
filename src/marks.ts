import { randomBytes } from 'node:crypto'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'

/**
 * Messages and hints mark the inputs and commands that they name, and each entry spells the marks as its readers write them: options of a
 * terminal, inputs of a workflow. Marks are written in texts with the tag `marked`:
 *
 *     ‹set›                            an input
 *     ‹mode: clean›                    an input and its value
 *     ‹lifeboat verify; level: read›   a command and its inputs
 *     ‹json›                           the whole result as JSON
 */
export interface Spelling {
  /** Undefined for an input that no command has. */
  input(name: string, value?: string): string | undefined
  /** `words` follow `lifeboat`: `verify`, `forget ID`. Undefined for a command that does not exist. */
  command(words: string, given: readonly [name: string, value: string][]): string | undefined
}

/** Random letters of this process and its threads. The signs of marks end with them, so that no text from outside has a mark in it. */
const NONCE = nonce()
const [OPEN, NEXT, VALUE, CLOSE] = [`‹${NONCE}`, `;${NONCE}`, `:${NONCE}`, `›${NONCE}`]
const MARK = new RegExp(`${OPEN}(.*?)${CLOSE}`, 'gs')

function nonce(): string {
  const name = 'lifeboat marks'
  const known = getEnvironmentData(name)
  if (typeof known === 'string') return known
  const letters = randomBytes(16).toString('base64').replaceAll(/[^A-Za-z]/g, '')
  setEnvironmentData(name, letters)
  return letters
}

/** The tag of a text with marks: marked`Give ‹set›, ${set} for instance.` The values in it are plain text, in marks and outside. */
export function marked(texts: TemplateStringsArray, ...values: readonly (string | number | undefined)[]): string {
  let inside = false
  const signed = texts.map((text) => text.replaceAll(/[‹›]|[;:] /g, (sign) => {
    if (sign === '‹' || sign === '›') {
      inside = sign === '‹'
      return inside ? OPEN : CLOSE
    }
    if (!inside) return sign
    return sign === '; ' ? NEXT : VALUE
  }))
  return String.raw({ raw: signed }, ...values)
}

/** The mark of a command whose inputs are known only when it runs. */
export function markedCommand(words: string, given: Readonly<Record<string, string>>): string {
  return `${OPEN}${[`lifeboat ${words}`, ...Object.entries(given).map((pair) => pair.join(VALUE))].join(NEXT)}${CLOSE}`
}

/** The text as an entry spells it. A mark that names no input and no command, and a part of one, are shown as they were written. */
export function spelled(text: string, spelling: Spelling): string {
  if (!text.includes(NONCE)) return text
  return unmarked(text.replaceAll(MARK, (mark: string, content: string, at: number) => {
    const shown = spell(content, spelling)
    if (shown === undefined) return mark
    const starts = /(?:^|[.?!]\s+)$/.test(text.slice(0, at))
    return starts ? shown.charAt(0).toUpperCase() + shown.slice(1) : shown
  }))
}

/** The text with its marks as they were written: other processes read stored texts. */
export function unmarked(text: string): string {
  return text.replaceAll(NEXT, '; ').replaceAll(VALUE, ': ').replaceAll(NONCE, '')
}

function spell(content: string, spelling: Spelling): string | undefined {
  const [first = '', ...rest] = content.split(NEXT)
  const words = /^lifeboat (?<words>.+)$/.exec(first)?.groups?.['words']
  if (words !== undefined) return spelling.command(words, rest.map(pair))
  const [name, value] = pair(content)
  return spelling.input(name, value || undefined)
}

/** A name and its value, which is empty if there is none. */
function pair(text: string): [name: string, value: string] {
  const [name = '', ...value] = text.split(VALUE)
  return [name, value.join(': ')]
}

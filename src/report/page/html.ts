import { oneLine } from '../format.ts'

/** Text that is HTML already. Only `html` and `styleElement` make it, so everything else is escaped. */
class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

export type { Markup }
/** Nothing is shown for `undefined` and `false`. */
export type Piece = Markup | string | number | undefined | false | readonly Piece[]

/** Of each template, whether each value is in an attribute. Their texts are the same every time. */
const places = new WeakMap<TemplateStringsArray, readonly boolean[]>()

/**
 * The tag of a piece of HTML or SVG: html`<td>${name}</td>`. Values are escaped, in text and in quoted attributes. Throws where escaping
 * would not be enough: in an attribute without quotes, in a tag, in a comment, or in an element whose text is not HTML; and for elements
 * in an attribute.
 */
export function html(texts: TemplateStringsArray, ...parts: readonly Piece[]): Markup {
  const inAttribute = places.get(texts) ?? placesIn(texts)
  places.set(texts, inAttribute)
  return new Markup(texts.reduce((before, text, index) => `${before}${shown(parts[index - 1], inAttribute[index - 1]!)}${text}`))
}

function shown(part: Piece, inAttribute: boolean): string {
  if (inAttribute && typeof part === 'object') throw new Error('an attribute can have only text')
  return markupOf(part)
}

/** The style sheet of the page, which is a part of the program. */
export function styleElement(css: string): Markup {
  if (css.includes('<')) throw new Error('a style sheet cannot have the sign <')
  return new Markup(`<style>${css}</style>`)
}

/** A link, if the address is one on the web; else the text alone. */
export function link(text: Piece, url: string | null | undefined): Markup {
  return url && /^https:\/\/[A-Za-z0-9./_~:-]{1,500}$/.test(url) ? html`<a href="${url}" rel="noreferrer">${text}</a>` : html`${text}`
}

/** A name from outside, whose direction of writing changes nothing around it. */
export function name(text: string): Markup {
  return html`<bdi>${oneLine(text)}</bdi>`
}

function markupOf(part: Piece): string {
  if (part === undefined || part === false) return ''
  if (part instanceof Markup) return part.toString()
  if (typeof part === 'object') return part.map(markupOf).join('')
  return escaped(`${part}`)
}

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Control characters, and those that turn the direction of writing, are made visible; line ends stay. */
function escaped(text: string): string {
  return text.replace(/(?!\n)\p{C}/gu, '\uFFFD').replace(/[&<>"']/g, (sign) => NAMED[sign]!)
}

/** Elements whose text a browser does not read as HTML. */
const RAW = /<(script|style|textarea|title|iframe|noscript|template|xmp)\b/i

function placesIn(texts: TemplateStringsArray): boolean[] {
  let state: 'text' | 'tag' | 'value' = 'text'
  return texts.map((text, index) => {
    for (const sign of text) {
      if (state === 'text' && sign === '<') state = 'tag'
      else if (state === 'tag' && sign === '"') state = 'value'
      else if (state === 'value' && sign === '"') state = 'tag'
      else if (state === 'tag' && sign === '>') state = 'text'
    }
    const last = index === texts.length - 1
    if (state === 'tag' || (last && state !== 'text') || (RAW.test(text) && !isPlainTitle(text)) || text.includes('<!--'))
      throw new Error(`a value cannot be put into this template: ${text}`)
    return state === 'value'
  })
}

/** The title of a page or a drawing has text alone: a browser reads what is escaped in it as everywhere. */
function isPlainTitle(text: string): boolean {
  return !RAW.test(text.replaceAll(/<title\b/g, ''))
}

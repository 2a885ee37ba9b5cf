/**
 * Keys of objects as paths of an archive, and back (docs/format.md, 4.1). A key is its path, except for parts between its slashes that are
 * no names of files, or that begin with `=`: these get a `=` before them, and percent signs. An object whose key is also a folder of other
 * keys lies in that folder, as `=-`.
 */
const MARK = '='
/** Marks a part that continues in the next one. */
const CONTINUED = '=+'
const ITSELF = '=-'
/** The most bytes in a name of a file: Linux, NAME_MAX. */
const LONGEST = 255
/** Pieces of a longer part, at most 240 bytes each, never cut within an escape. */
const PIECES = /(?:%[0-9A-F]{2}|[^%]){1,80}/g

// oxlint-disable-next-line no-control-regex -- names of files should have none
const CONTROL = /[\u0000-\u001f\u007f]/

/** The path for a key; one latin1 character a byte. `isFolder`: whether other paths are below this one. */
export function pathOfKey(key: string, isFolder: (path: string) => boolean): string {
  const path = plainPathOf(key)
  return isFolder(path) ? `${path}/${ITSELF}` : path
}

/** The path without regard to other keys. */
export function plainPathOf(key: string): string {
  return Buffer.from(key).toString('latin1').split('/').map(encodePart).join('/')
}

/** The key of an object at a path of an archive (latin1). Throws an Error for a path that stands for no key. */
export function keyOfPath(path: string): string {
  const parts = path.split('/')
  if (parts.at(-1) === ITSELF) parts.pop()
  let key = ''
  for (const [index, part] of parts.entries()) {
    key += part.startsWith(CONTINUED)
      ? decode(part.slice(CONTINUED.length))
      : part.startsWith(MARK)
        ? decode(part.slice(MARK.length))
        : part
    if (index < parts.length - 1 && !part.startsWith(CONTINUED)) key += '/'
  }
  return Buffer.from(key, 'latin1').toString()
}

function encodePart(part: string): string {
  if (!['', '.', '..'].includes(part) && part.length <= LONGEST && !part.startsWith(MARK) && !CONTROL.test(part)) return part
  // oxlint-disable-next-line no-control-regex -- control characters are what it escapes
  const pieces = part.replaceAll(/[\u0000-\u001f\u007f%]/g, escape).match(PIECES) ?? ['']
  // A piece that begins with one of these would be read as a mark.
  return pieces.map((piece, index) => (index < pieces.length - 1 ? CONTINUED : MARK) + piece.replace(/^[+-]/, escape)).join('/')
}

function escape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

function decode(text: string): string {
  return text.replaceAll(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

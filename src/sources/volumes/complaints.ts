import { LifeboatError } from '../../error.ts'
import { metaOf, pathOf } from '../files/entry.ts'

/** Entries that tar complained about. */
export interface Complaints {
  /** They changed or vanished while they were read. */
  changed: string[]
  unreadable: string[]
}

/** Reads the messages of a tar that was asked for these entries. Throws for a message that is about none of them. */
export function complaintsIn(said: string, entries: readonly string[], where: string): Complaints {
  const byName = new Map<string, string>()
  if (said !== '') for (const entry of entries) byName.set(toldName(memberName(entry)), entry)
  const found: Complaints = { changed: [], unreadable: [] }
  for (const line of said.split('\n')) {
    if (line === '' || line === 'tar: Exiting with failure status due to previous errors' || /: Warning: /.test(line)) continue
    const [, name = '', what = ''] =
      /^tar: ((?:[^\\:]|\\.)+): ((?:file changed|File shrank|File removed|Cannot |Read error|read error|Unexpected end).*)$/.exec(line) ??
      []
    const entry = byName.get(name) ?? byName.get(`${name}/`)
    if (entry === undefined) throw new LifeboatError(`${where} could not be read: ${line}`, { hint: 'GNU tar said so.' })
    const isChange = /^(file changed|File shrank|File removed)|(No such file or directory|Not a directory)$/.test(what)
    found[isChange ? 'changed' : 'unreadable'].push(entry)
  }
  return found
}

/** As tar writes it: directories end with a slash. */
function memberName(entry: string): string {
  const path = pathOf(entry)
  return metaOf(entry).type === 'd' ? `./${path}${path === '' ? '' : '/'}` : `./${path}`
}

/**
 * As tar's messages have a name with `--quoting-style=escape` (gnulib's quotearg, locale C): in one line, and with no colon of its own, so
 * that no name can look like a message about another file.
 */
function toldName(name: string): string {
  return name.replace(ESCAPED, (character) => `\\${ESCAPES[character] ?? character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

// oxlint-disable-next-line no-control-regex -- control characters are escaped
const ESCAPED = /[\u0000-\u001f\u007f-\u00ff\\:]/g

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  ':': ':',
  '\u0007': 'a',
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
  '\v': 'v',
}

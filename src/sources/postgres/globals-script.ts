/**
 * PostgreSQL documentation, "Character Set Support": in encodings that a server may have, no byte of a longer character looks like a quote.
 */
const serverEncodings =
  /^(?:UTF8|SQL_ASCII|MULE_INTERNAL|LATIN\d+|ISO_8859_[5-8]|WIN(?:866|874|125\d)|KOI8[RU]|EUC_(?:JP|CN|KR|TW|JIS_2004))$/

/** The statements of `pg_dumpall --globals-only`, of every major. */
const known = [
  /^SET (?:default_transaction_read_only|standard_conforming_strings|escape_string_warning) = \w+$/,
  /^(?:CREATE|ALTER) (?:ROLE|TABLESPACE) /,
  /^(?:GRANT|REVOKE) /,
  /^COMMENT ON (?:ROLE|TABLESPACE) /,
  /^SECURITY LABEL /,
]

// Strings with backslashes are written as E'…'. Dollar quotes and comments in /* */ are not written.
const token = new RegExp(
  [
    String.raw`(?<space>\s+|--[^\n\r\0]*)`,
    String.raw`(?<restrict>(?<=^|\n)\\(?:un)?restrict [A-Za-z0-9]+(?=\n|$))`,
    String.raw`"(?:[^"\0]|"")*"`,
    String.raw`[eE]'(?:[^'\\\0]+|\\[^\0]|'')*'`,
    String.raw`'[^'\\\0]*'`,
    String.raw`[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*`,
    String.raw`\d+(?![A-Za-z_\x80-\xff])`,
    String.raw`[-+*<>=~!@#%^&|?.,;:()[\]]`,
    String.raw`/(?!\*)`,
  ].join('|'),
  'y',
)

/**
 * The first line of a globals script that people should not give to psql: one with a backslash outside of quotes, by which psql runs
 * commands of its own (and with them a shell), or with anything else that pg_dumpall does not write. Undefined if there is none.
 */
export function unexpectedLine(script: Buffer): { number: number; text: string } | undefined {
  // One character a byte, because psql looks for quotes in bytes, too.
  const text = script.toString('latin1')
  const lineAt = (at: number) => {
    const start = text.lastIndexOf('\n', at - 1) + 1
    const end = text.indexOf('\n', at)
    const line = script.subarray(start, end < 0 ? undefined : end)
    return { number: text.slice(0, start).split('\n').length, text: line.toString('utf8', 0, 200) }
  }
  let statement = ''
  let began = 0
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at
    const found = token.exec(text)
    if (!found || (found.groups?.restrict !== undefined && statement !== '')) return lineAt(at)
    const [piece] = found
    if (found.groups?.restrict !== undefined) continue
    if (statement === '') began = at
    if (piece === ';') {
      if (!isKnown(statement.trimEnd())) return lineAt(began)
      statement = ''
    } else if (found.groups?.space === undefined) statement += piece
    else if (statement !== '') statement += ' '
  }
  return statement.trim() === '' ? undefined : lineAt(began)
}

/** The statements of a script of pg_dumpall, each as its tokens; ends where the script cannot be read. */
export function* globalStatements(script: string): Generator<string[]> {
  let statement: string[] = []
  for (let at = 0; at < script.length; at = token.lastIndex) {
    token.lastIndex = at
    const found = token.exec(script)
    if (!found) return
    const [piece] = found
    if (piece === ';') {
      yield statement
      statement = []
    } else if (found.groups?.space === undefined && found.groups?.restrict === undefined) statement.push(piece)
  }
}

function isKnown(statement: string): boolean {
  const encoding = /^SET client_encoding = '(\w+)'$/.exec(statement)?.[1]
  return encoding === undefined ? known.some((pattern) => pattern.test(statement)) : serverEncodings.test(encoding)
}

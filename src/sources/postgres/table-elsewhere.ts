import { LifeboatError } from '../../error.ts'
import type { Entry } from './contents.ts'
import { identifier } from './query.ts'

const NAME = String.raw`(?:"(?:[^"]|"")+"|[^\s".(]+)`
const TARGET = new RegExp(String.raw`^COPY ((${NAME})\.(${NAME})) `)

/**
 * The SQL that makes a table in another schema and begins to fill it; `copy` of the entry follows its rows. Throws (status 2) if the table
 * is not one by itself. `definitions`: those of the tables in the archive that have its name.
 */
export function tableElsewhere(entry: Entry, definitions: readonly string[], schema: string): { before: string; after: string } {
  const [, qualified = '', , name = ''] = TARGET.exec(entry.copy ?? '') ?? []
  const head = new RegExp(String.raw`^CREATE (?:UNLOGGED )?TABLE ${escaped(qualified)} \(`)
  const found = definitions.find((sql) => head.test(sql))
  const columns = found === undefined ? undefined : columnsOf(found, head.exec(found)![0].length - 1)
  if (qualified === '' || columns === undefined)
    throw new LifeboatError(`the definition of ${entry.schema}.${entry.name} is not one that can be made in another schema`, {
      hint: 'Make the table yourself, and write the rows as CSV.', status: 2,
    })
  const target = `${identifier(schema)}.${name}`
  return {
    // psql would read the rows as commands if the table could not be made.
    before: `\\set ON_ERROR_STOP on\nBEGIN;\nSET LOCAL search_path = '';\nSET LOCAL standard_conforming_strings = on;\n` +
      `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)};\nCREATE TABLE ${target} ${columns};\n` +
      (entry.copy ?? '').replace(qualified, () => target),
    after: 'COMMIT;\n',
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}

/** The columns and constraints in their parentheses: not parents, of which a new child would show its rows, nor statements that follow. */
function columnsOf(sql: string, start: number): string | undefined {
  let depth = 0
  for (let at = start; at < sql.length; at++) {
    const character = sql[at]!
    if (character === '"' || character === "'") {
      at = sql.indexOf(character, at + 1)
      if (at < 0) return undefined
    } else if (character === '(') depth++
    else if (character === ')' && --depth === 0) return /^\s*(?:;|WITH \()/.test(sql.slice(at + 1)) ? sql.slice(start, at + 1) : undefined
  }
  return undefined
}

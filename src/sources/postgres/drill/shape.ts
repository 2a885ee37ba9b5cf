/** Characters that are shown before and after the place where a line differs. */
const AROUND = 40

/** Words of definitions that tell nothing of a database. */
const KEYWORDS = new Set(
  (
    'ADD ALTER ALWAYS AS ATTACH BEGIN BY CACHE CASCADE CHECK COLLATE COLUMN COMMENT CONSTRAINT COPY CREATE CYCLE DEFAULT DELETE DISABLE ' +
    'DOMAIN EACH ENABLE END EVENT EXCLUDE EXECUTE EXTENSION FOR FOREIGN FROM FUNCTION GENERATED GRANT IDENTITY IF IN INCREMENT INDEX ' +
    'INHERITS INSERT INTO IS KEY LANGUAGE LEVEL MATERIALIZED MAXVALUE MINVALUE NO NOT NULL ON ONLY OPERATOR OPTION OR OWNED OWNER ' +
    'PARTITION POLICY PRIMARY PROCEDURE PUBLICATION REFERENCES REPLACE RESTRICT RETURNS REVOKE ROW RULE SCHEMA SECURITY SELECT SEQUENCE ' +
    'SET START STATISTICS STORED TABLE TO TRIGGER TYPE UNIQUE UPDATE USING VALID VALUES VIEW WHEN WHERE WITH'
  ).split(' '),
)

/** Two lines of SQL at the place where they differ, with letters as x and digits as 9. Undefined is a line that is not there. */
export function textShapes(was: string | undefined, is: string | undefined): string {
  if (was === undefined) return `there is one more: ${around(is!, 0)}`
  if (is === undefined) return `it is missing: ${around(was, 0)}`
  let at = 0
  while (at < was.length && was[at] === is[at]) at++
  return `${around(was, at)} became ${around(is, at)}, from character ${(at + 1).toLocaleString('en-US')}`
}

function around(line: string, at: number): string {
  const shape = line.replaceAll(/[A-Za-z\x80-\xff]+|\d/g, (part) => {
    if (KEYWORDS.has(part)) return part
    return /\d/.test(part) ? '9' : 'x'.repeat(part.length)
  })
  const [from, to] = [Math.max(0, at - AROUND), Math.min(line.length, at + AROUND)]
  return JSON.stringify(`${from > 0 ? '…' : ''}${shape.slice(from, to)}${to < line.length ? '…' : ''}`)
}

/** Two rows of a COPY in the first column where they differ: types and lengths of the values only. */
export function rowShapes(copy: string, was: string | undefined, is: string | undefined): string {
  const [before, after] = [cells(was), cells(is)]
  if (!after) return before ? 'it is missing after the restore' : 'the rows end otherwise'
  if (!before) return 'there is one more after the restore'
  const column = before.findIndex((cell, index) => cell !== after[index])
  const place = column < 0 ? before.length : column
  const [now, then] = [valueShape(after[place]), valueShape(before[place])]
  return `${columnName(copy, place)} has ${now === then ? `another value: ${now}` : `${now} instead of ${then}`}`
}

/** Undefined for what is no row: the end of the rows, or a line that is not there. */
function cells(row: string | undefined): string[] | undefined {
  return row === undefined || row === '\\.' || row === '' ? undefined : row.split('\t')
}

function columnName(copy: string, column: number): string {
  const names = /\((.*)\) FROM stdin;$/.exec(copy)?.[1]?.match(/"(?:[^"]|"")+"|[^", ]+/g)
  const name = names?.[column]
  return name === undefined ? `column ${column + 1}` : `column ${Buffer.from(name, 'latin1').toString()}`
}

function valueShape(value: string | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === '\\N') return 'NULL'
  if (/^-?\d+$/.test(value)) return `a number of ${value.replace('-', '').length} digits`
  return `${value.length.toLocaleString('en-US')} bytes`
}

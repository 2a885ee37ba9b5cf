import { identifier, literal } from './query.ts'
import { type Token, Tokens, tokensOf } from './tokens.ts'

/** A statement about roles or tablespaces, made again out of what was read. */
export interface GlobalStatement {
  sql: string
  /** The roles that it is about: it is run if one of them is new. */
  roles: string[]
  /** For the statement that makes a tablespace. */
  tablespace?: string
}

export interface GlobalsScript {
  /** In the order of the script. */
  statements: GlobalStatement[]
  /** Beginnings of statements of other forms, which are not run. */
  unknown: string[]
}

/**
 * Reads a script of `pg_dumpall --globals-only`. It came from a server: none of it is run, but statements are made from names and values
 * that were read with the forms that pg_dumpall writes (pg_dumpall.c: dumpRoles, dumpRoleMembership, dumpUserConfig, dumpTablespaces).
 * `major`: of the server that they are for.
 */
export function readGlobalsScript(script: string, major: number): GlobalsScript {
  const standardStrings = !/^SET standard_conforming_strings = off;$/m.test(script)
  const found: GlobalsScript = { statements: [], unknown: [] }
  for (const text of statementTexts(script)) {
    const tokens = tokensOf(text, standardStrings)
    if (tokens && isSession(tokens)) continue
    const statement = tokens && translate(tokens, major)
    if (statement) found.statements.push(statement)
    else found.unknown.push(text.trim().split(/\s+/).slice(0, 3).join(' '))
  }
  return found
}

/** Comments and the commands \restrict and \unrestrict are left out. */
function statementTexts(script: string): string[] {
  const plain = script.replaceAll(
    /('(?:[^']|'')*'|"(?:[^"]|"")*")|--[^\n]*|^\\(?:un)?restrict \w+$/gm, (_, quoted: string | undefined) => quoted ?? '',
  )
  const texts: string[] = []
  let text = ''
  for (const [piece] of plain.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|;|[^'";]+/gs)) {
    if (piece !== ';') text += piece
    else {
      texts.push(text)
      text = ''
    }
  }
  return [...texts, text].filter((one) => one.trim() !== '')
}

function isSession(tokens: readonly Token[]): boolean {
  return new Tokens(tokens).words('set')
}

function translate(given: readonly Token[], major: number): GlobalStatement | undefined {
  for (const read of [createRole, alterRole, roleSetting, membership, comment, tablespace]) {
    const tokens = new Tokens(given)
    const statement = read(tokens, major)
    if (statement && tokens.ended) return statement
  }
  return undefined
}

function createRole(tokens: Tokens): GlobalStatement | undefined {
  const role = tokens.words('create role') ? tokens.name() : undefined
  return role === undefined ? undefined : { sql: `CREATE ROLE ${identifier(role)}`, roles: [role] }
}

const ATTRIBUTES = new Set(
  ['superuser', 'inherit', 'createrole', 'createdb', 'login', 'replication', 'bypassrls'].flatMap((name) => [name, `no${name}`]),
)

function alterRole(tokens: Tokens): GlobalStatement | undefined {
  const role = tokens.words('alter role') ? tokens.name() : undefined
  if (role === undefined || !tokens.words('with')) return undefined
  const attributes: string[] = []
  while (!tokens.ended) {
    const attribute = attributeOf(tokens)
    if (attribute === undefined) return undefined
    attributes.push(attribute)
  }
  return { sql: `ALTER ROLE ${identifier(role)} WITH ${attributes.join(' ')}`, roles: [role] }
}

function attributeOf(tokens: Tokens): string | undefined {
  if (tokens.words('connection limit')) return withValue('CONNECTION LIMIT ', tokens.number())
  if (tokens.words('password')) return withValue('PASSWORD ', quoted(tokens.text()))
  if (tokens.words('valid until')) return withValue('VALID UNTIL ', quoted(tokens.text()))
  const word = tokens.word()
  return word !== undefined && ATTRIBUTES.has(word) ? word.toUpperCase() : undefined
}

const withValue = (name: string, value: string | undefined): string | undefined => (value === undefined ? undefined : name + value)
const quoted = (text: string | undefined): string | undefined => (text === undefined ? undefined : literal(text))

function roleSetting(tokens: Tokens): GlobalStatement | undefined {
  const role = tokens.words('alter role') ? tokens.name() : undefined
  const setting = role !== undefined && tokens.words('set') ? tokens.name() : undefined
  if (role === undefined || setting === undefined || !tokens.words('to')) return undefined
  const values = tokens.list(() => quoted(tokens.text()))
  return values && { sql: `ALTER ROLE ${identifier(role)} SET ${identifier(setting)} TO ${values.join(', ')}`, roles: [role] }
}

/** The role that granted is left out: it may not be able to here. */
function membership(tokens: Tokens, major: number): GlobalStatement | undefined {
  const group = tokens.words('grant') ? tokens.name() : undefined
  const member = group !== undefined && tokens.words('to') ? tokens.name() : undefined
  if (group === undefined || member === undefined) return undefined
  const options: string[] = []
  if (tokens.words('with')) {
    do {
      const [name, value] = [tokens.word(), tokens.word()]
      if (!/^(?:admin|inherit|set)$/.test(name ?? '') || !/^(?:option|true|false)$/.test(value ?? '')) return undefined
      if (major >= 16) options.push(`${name!.toUpperCase()} ${value!.toUpperCase()}`)
      else if (name === 'admin' && value !== 'false') options.push('ADMIN OPTION')
    } while (tokens.words(','))
  }
  if (tokens.words('granted by') && tokens.name() === undefined) return undefined
  const sql = `GRANT ${identifier(group)} TO ${identifier(member)}${options.length > 0 ? ` WITH ${options.join(', ')}` : ''}`
  return { sql, roles: [group, member] }
}

function comment(tokens: Tokens): GlobalStatement | undefined {
  const role = tokens.words('comment on role') ? tokens.name() : undefined
  const text = role !== undefined && tokens.words('is') ? tokens.text() : undefined
  if (role === undefined || text === undefined) return undefined
  return { sql: `COMMENT ON ROLE ${identifier(role)} IS ${literal(text)}`, roles: [role] }
}

function tablespace(tokens: Tokens): GlobalStatement | undefined {
  const name = tokens.words('create tablespace') ? tokens.name() : undefined
  const owner = name !== undefined && tokens.words('owner') ? tokens.name() : undefined
  const place = owner !== undefined && tokens.words('location') ? tokens.text() : undefined
  if (name === undefined || owner === undefined || place === undefined) return undefined
  return { sql: `CREATE TABLESPACE ${identifier(name)} OWNER ${identifier(owner)} LOCATION ${literal(place)}`, roles: [], tablespace: name }
}

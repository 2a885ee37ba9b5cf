import type { Report } from '../../../environment.ts'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatSome, oneLine } from '../../../report/format.ts'
import type { PassingEntry } from '../contents.ts'
import { nameOf } from '../selection.ts'

/** A definition in an archive that a server does not know. */
export interface NewerConstruct {
  /** The id of its entry. */
  id: number
  /** `table public.orders` */
  object: string
  construct: string
  /** The major version that brought the construct. */
  since: number
}

/** A server of an older major version than the one that was backed up. */
export interface OlderServer {
  /** The major version that was backed up. */
  from: number
  major: number
  unknown: readonly NewerConstruct[]
}

interface Construct {
  since: number
  construct: string
  /** Kinds of the entries that can have it. Default: all that define something. */
  kinds?: RegExp
  /** Finds it in SQL without texts, as the server deparses it: key words in capitals, functions in small letters. */
  found: RegExp | ((sql: string) => boolean)
}

const TABLES = /^(?:FOREIGN )?TABLE$/
const CONSTRAINTS = /CONSTRAINT$|^(?:FOREIGN )?TABLE$/
const ROUTINES = /^(?:FUNCTION|PROCEDURE)$/
/** Functions of the system have no schema before their name. */
const callOf = (...names: string[]): RegExp => new RegExp(String.raw`(?<![.\w$])(?:${names.join('|')})\(`)
/** Parameters of a subscription that pg_dump writes only if they are set. */
const subscription = (parameters: string): RegExp => new RegExp(String.raw`\b(?:${parameters})\b`)

/** From the release notes of PostgreSQL, as far as pg_dump writes them into definitions. Bodies of functions in quotes are not read. */
const CONSTRUCTS: readonly Construct[] = [
  { since: 14, construct: 'a multirange type', found: /(?<![.\w$])(?:int[48]|num|tstz?|date)multirange\b|\bmultirange_type_name\b/ },
  { since: 14, construct: 'a body of SQL without quotes', kinds: ROUTINES, found: /\bBEGIN ATOMIC\b|^ *RETURN /m },
  { since: 14, construct: 'SET COMPRESSION', kinds: TABLES, found: /\bSET COMPRESSION\b/ },
  { since: 15, construct: 'NULLS NOT DISTINCT', kinds: /INDEX$|CONSTRAINT$/, found: /\bNULLS NOT DISTINCT\b/ },
  { since: 15, construct: 'a view WITH (security_invoker)', kinds: /^VIEW$/, found: /\bsecurity_invoker\b/ },
  { since: 15, construct: 'MERGE', kinds: ROUTINES, found: /\bMERGE INTO\b/ },
  { since: 15, construct: 'ON DELETE SET NULL or SET DEFAULT with columns', kinds: /^FK CONSTRAINT$/, found: /\bSET (?:NULL|DEFAULT) \(/ },
  { since: 15, construct: 'an unlogged sequence', kinds: /^SEQUENCE$/, found: /\bUNLOGGED\b/ },
  { since: 15, construct: 'numeric with a negative scale', found: /\bnumeric\(\d+,-/ },
  { since: 15, construct: 'a publication of the tables in a schema', kinds: /^PUBLICATION TABLES IN SCHEMA$/, found: /^/ },
  { since: 15, construct: 'a publication of some rows or columns', kinds: /^PUBLICATION TABLE$/, found: /\(/ },
  { since: 15, construct: 'two_phase or disable_on_error of a subscription', kinds: /^SUBSCRIPTION$/,
    found: subscription('two_phase|disable_on_error') },
  { since: 15, construct: 'a function of PostgreSQL 15', found: callOf('regexp_count', 'regexp_instr', 'regexp_like', 'regexp_substr') },
  { since: 16, construct: 'custom rules of an ICU collation', kinds: /^COLLATION$/, found: /\brules = / },
  { since: 16, construct: 'SQL/JSON constructors or IS JSON', found: /\bJSON_(?:OBJECT|ARRAY|OBJECTAGG|ARRAYAGG)\(|\bIS (?:NOT )?JSON\b/ },
  { since: 16, construct: 'SYSTEM_USER', found: /\bSYSTEM_USER\b/ },
  { since: 16, construct: 'origin, password_required, run_as_owner or parallel streaming of a subscription', kinds: /^SUBSCRIPTION$/,
    found: subscription('origin|password_required|run_as_owner|streaming = parallel') },
  { since: 16, construct: 'a function of PostgreSQL 16',
    found: callOf('any_value', 'array_sample', 'array_shuffle', 'date_add', 'date_subtract', 'erfc?', 'random_normal') },
  { since: 17, construct: 'a collation of the builtin provider', kinds: /^COLLATION$/, found: /\bprovider = builtin\b/ },
  { since: 17, construct: 'the privilege MAINTAIN', kinds: /ACL$/,
    found: /^(?:ALTER DEFAULT .* )?(?:GRANT|REVOKE) [^;]*?\bMAINTAIN\b.* ON /m },
  { since: 17, construct: 'JSON_TABLE, or another SQL/JSON function',
    found: /\bJSON_(?:TABLE|EXISTS|QUERY|VALUE|SCALAR|SERIALIZE)\(|\bJSON\(/ },
  { since: 17, construct: 'MERGE with RETURNING or BY SOURCE', kinds: ROUTINES,
    found: /\bWHEN NOT MATCHED BY SOURCE\b|\bMERGE_ACTION\(\)/ },
  { since: 17, construct: 'AT LOCAL', found: /\bAT LOCAL\b/ },
  { since: 17, construct: 'an event trigger ON login', kinds: /^EVENT TRIGGER$/, found: /\bON login\b/ },
  { since: 17, construct: 'failover of a subscription', kinds: /^SUBSCRIPTION$/, found: subscription('failover') },
  { since: 17, construct: 'a function of PostgreSQL 17',
    found: callOf('to_bin', 'to_oct', 'uuid_extract_timestamp', 'uuid_extract_version', 'xmltext') },
  { since: 18, construct: 'a virtual generated column', kinds: TABLES, found: hasVirtualColumn },
  { since: 18, construct: 'WITHOUT OVERLAPS', kinds: CONSTRAINTS, found: /\bWITHOUT OVERLAPS\b/ },
  { since: 18, construct: 'a foreign key with PERIOD', kinds: CONSTRAINTS, found: /\bFOREIGN KEY \([^)]*\bPERIOD / },
  { since: 18, construct: 'a constraint that is NOT ENFORCED', kinds: CONSTRAINTS, found: /\bNOT ENFORCED\b/ },
  { since: 18, construct: 'NOT NULL as a constraint of its own', kinds: CONSTRAINTS,
    found: /\bNOT NULL NO INHERIT\b|^\s*(?:CONSTRAINT \S+ )?NOT NULL \S+?,?$|\bADD (?:CONSTRAINT \S+ )?NOT NULL /m },
  { since: 18, construct: 'statistics of the planner', kinds: /^STATISTICS DATA$/, found: /^/ },
  { since: 18, construct: 'default privileges of large objects', kinds: /^DEFAULT ACL$/, found: /\bON LARGE OBJECTS\b/ },
  { since: 18, construct: 'publish_generated_columns of a publication', kinds: /^PUBLICATION$/, found: /\bpublish_generated_columns\b/ },
  { since: 18, construct: 'OLD or NEW in RETURNING', found: /\bRETURNING WITH \(/ },
  { since: 18, construct: 'a function of PostgreSQL 18',
    found: callOf('uuidv7', 'uuidv4', 'casefold', 'array_reverse', 'array_sort', 'crc32c?', 'gamma', 'lgamma') },
]

/** Looks for definitions that a server does not know, entry by entry. */
export class NewerConstructs {
  readonly #found: NewerConstruct[] = []
  readonly #unknown: readonly Construct[]
  readonly #from: number
  readonly #major: number

  /** `from`: the major version of the server that was backed up; `major`: that of the target. */
  constructor(from: number, major: number) {
    this.#from = from
    this.#major = major
    this.#unknown = from > major ? CONSTRUCTS.filter(({ since }) => since > major) : []
  }

  /** Of the entries that are restored. */
  among(restored: (entry: Pick<NewerConstruct, 'id'>) => boolean): { older?: OlderServer } {
    return this.#from > this.#major ? { older: { from: this.#from, major: this.#major, unknown: this.#found.filter(restored) } } : {}
  }

  look(entry: PassingEntry): void {
    const { id, kind } = entry
    if (this.#unknown.length === 0 || WITHOUT_DEFINITION.test(kind)) return
    const possible = this.#unknown.filter(({ kinds }) => kinds?.test(kind) ?? true)
    const sql = withoutTexts(entry.sql())
    for (const { construct, since, found } of possible)
      if (typeof found === 'function' ? found(sql) : found.test(sql)) this.#found.push({ id, object: objectOf(entry), construct, since })
  }
}

const WITHOUT_DEFINITION =
  /^(?:TABLE DATA|BLOBS?|BLOB METADATA|COMMENT|SECURITY LABEL|SEQUENCE SET|ENCODING|STDSTRINGS|SEARCHPATH|DATABASE)$/

function objectOf(entry: PassingEntry): string {
  if (!entry.kind.endsWith('ACL')) return nameOf(entry)
  const within = entry.schema === '' ? '' : ` in ${entry.schema}`
  return `${entry.kind === 'ACL' ? 'privileges of ' : ''}${entry.name.replace(/^[A-Z ]+(?= |$)/, (kind) => kind.toLowerCase())}${within}`
}

/** The statements with empty texts, bodies and names in quotation marks. */
function withoutTexts(sql: string): string {
  return sql.replaceAll(/'(?:[^']|'')*'|(?<![\w$])(\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$).*?\1|"(?:[^"]|"")*"/gs, (text) =>
    (text.startsWith('"') ? '"…"' : "''"))
}

/** A generated column without STORED after its expression. */
function hasVirtualColumn(sql: string): boolean {
  return [...sql.matchAll(/\bGENERATED ALWAYS AS \(/g)].some(({ 0: text, index }) => {
    let at = index + text.length
    for (let open = 1; open > 0 && at < sql.length; at++) open += sql[at] === '(' ? 1 : sql[at] === ')' ? -1 : 0
    return !sql.startsWith(' STORED', at)
  })
}

const MOST_NAMED = 8

/** Throws if the older server does not know definitions of the backup. With `allowed`, and if none was found, it is a warning. */
export function requireKnown({ from, major, unknown }: OlderServer, where: string, allowed: boolean, report: Report): void {
  if (unknown.length === 0) {
    report.warning(`${where} has PostgreSQL ${major}, and the backup is of PostgreSQL ${from}: no definition was found that the older ` +
      'one does not know; bodies of functions were not looked at')
    return
  }
  const groups = Map.groupBy(unknown, ({ construct, since }) => `${construct} (PostgreSQL ${since})`)
  const constructs = [...groups].map(([construct, found]) =>
    `${construct}: ${formatSome(found.map(({ object }) => oneLine(object)), MOST_NAMED)}`)
  const message = `${where} has PostgreSQL ${major}, which does not know everything that the backup of PostgreSQL ${from} has: ` +
    constructs.join('; ')
  const newest = Math.max(...unknown.map(({ since }) => since))
  if (allowed) report.warning(message, 'These objects are expected to fail; they can be made by hand, in another form.')
  else throw new LifeboatError(message, {
    hint: marked`Restore into PostgreSQL ${newest} or newer. With ‹allow-older: true› and ‹mode: empty›, everything else is ` +
      'restored, and these objects are listed as errors.' })
}

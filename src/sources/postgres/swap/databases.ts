import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { oneLine } from '../../../report/format.ts'
import { queryJson, type QueryContext } from '../query.ts'

const database = z.strictObject({
  oid: z.int(),
  name: z.string(),
  /** Of connections; it marks the databases that a restore makes. */
  limit: z.int(),
  comment: z.string().nullable(),
  /** Whether this role may rename it. */
  owned: z.boolean(),
  owner: z.string(),
  /** Whether its owner is a superuser, or this role. */
  trusted: z.boolean(),
})

/** A database of the server of the target. */
export type NamedDatabase = z.infer<typeof database>

const databasesSql = `SELECT pg_catalog.json_agg(pg_catalog.json_build_object('oid', pg_database.oid::pg_catalog.int8, 'name', datname,
  'limit', datconnlimit, 'comment', pg_catalog.shobj_description(pg_database.oid, 'pg_database'),
  'owned', pg_catalog.pg_has_role(datdba, 'USAGE'), 'owner', rolname, 'trusted', rolsuper OR rolname = current_user))
  FROM pg_catalog.pg_database JOIN pg_catalog.pg_roles r ON r.oid = datdba`

export function databasesOf(maintenance: QueryContext): Promise<NamedDatabase[]> {
  return queryJson(databasesSql, z.array(database), maintenance)
}

/** Throws if the server has no database of that name. */
export function namedAmong(databases: readonly NamedDatabase[], name: string, where: string): NamedDatabase {
  const found = databases.find((one) => one.name === name)
  if (found) return found
  throw new LifeboatError(`there is no database ${where} to exchange`, {
    hint: marked`Check the end of ‹database-url›. ‹mode: create› makes a database that does not exist yet.`,
  })
}

/**
 * Written into the comment of a database that an exchange has put aside. It is valid for the database with this name and number alone:
 * neither a copy of that database nor one that somebody renamed is ours.
 */
const mark = z.strictObject({
  lifeboat: z.literal('kept'),
  oid: z.int(),
  name: z.string(),
  /** The name that it had. */
  target: z.string(),
  /** The number of the database that has that name since. */
  by: z.int(),
  at: z.iso.datetime(),
  until: z.iso.datetime(),
  /** Its own comment. */
  comment: z.string().nullable(),
})

export type Mark = z.infer<typeof mark>

/** A database that an exchange has put aside. */
export type Kept = NamedDatabase & { mark: Mark }

export function commentOf(kept: Mark): string {
  const told = `Lifeboat keeps this database, which was ${oneLine(kept.target)} until ${kept.at}, at least until ${kept.until}.`
  return `${told} Do not change this comment.\n${JSON.stringify(kept)}`
}

/** Those that exchanges of the target have put aside, the newest first. */
export function keptOf(databases: readonly NamedDatabase[], target: string): Kept[] {
  return databases
    .flatMap((one) => {
      const mark = markOfKept(one)
      return mark?.target === target ? [{ ...one, mark }] : []
    })
    .toSorted((a, b) => b.mark.at.localeCompare(a.mark.at))
}

/** The mark of a database that an exchange has put aside; undefined of any other. */
export function markOfKept({ oid, name, comment }: Pick<NamedDatabase, 'oid' | 'name' | 'comment'>): Mark | undefined {
  const mark = markIn(comment)
  return mark?.oid === oid && mark.name === name ? mark : undefined
}

function markIn(comment: string | null): Mark | undefined {
  try {
    return mark.parse(JSON.parse(comment?.split('\n').at(-1) ?? ''))
  } catch {
    return undefined // The comment of somebody else.
  }
}

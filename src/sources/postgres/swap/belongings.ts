import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import type { Report } from '../../../environment.ts'
import { formatSome, oneLine } from '../../../report/format.ts'
import { queryJson, type QueryContext } from '../query.ts'
import type { NamedDatabase } from './databases.ts'

const belongings = z.strictObject({ prepared: z.array(z.string()), slots: z.array(z.string()), subscriptions: z.array(z.string()) })

const belongingsSql = (oid: number): string => {
  const name = `(SELECT datname FROM pg_catalog.pg_database WHERE oid = ${oid})`
  return `SELECT pg_catalog.json_build_object('prepared', ${names('gid', `pg_catalog.pg_prepared_xacts WHERE database = ${name}`)},
    'slots', ${names('slot_name', `pg_catalog.pg_replication_slots WHERE database = ${name}`)},
    'subscriptions', ${names('subname', `pg_catalog.pg_subscription WHERE subdbid = ${oid}`)})`
}

function names(column: string, rest: string): string {
  return `(SELECT coalesce(pg_catalog.json_agg(${column}), '[]') FROM ${rest})`
}

const MOST = 5

function some(all: readonly string[]): string {
  return formatSome(all.map(oneLine), MOST)
}

/**
 * Throws if the database has prepared transactions, which keep it from being renamed. Warns of replication that goes on with the database
 * that is put aside.
 */
export async function requireMovable({ oid, name }: NamedDatabase, context: QueryContext, report: Report): Promise<void> {
  const { prepared, slots, subscriptions } = await queryJson(belongingsSql(oid), belongings, context)
  if (slots.length > 0) report.warning(
    `replication slots belong to the database that is put aside: ${some(slots)}`,
    'Their subscribers go on with it, and do not get what is written to the new one. Make the slots again there.',
  )
  if (subscriptions.length > 0) report.warning(
    `subscriptions go on in the database that is put aside: ${some(subscriptions)}`,
    'Disable them there, and enable those of the new one: ALTER SUBSCRIPTION ….',
  )
  if (prepared.length === 0) return
  throw new LifeboatError(`${name} has prepared transactions, with which it cannot be renamed: ${some(prepared)}`, {
    hint: 'End them in that database first: COMMIT PREPARED or ROLLBACK PREPARED.' })
}

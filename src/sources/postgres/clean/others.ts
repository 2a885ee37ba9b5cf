import { z } from 'zod'
import type { Entry } from '../contents.ts'
import { type QueryContext, queryJson } from '../query.ts'
import { ofNoExtension, users } from '../target.ts'
import type { ReplacedRelations } from './locks.ts'

/** Objects of the target that the archive does not have, by name: tables and views, or with drop-others everything. */
export interface Others {
  /** They are not touched. */
  stay: string[]
  /** Partitions of tables that are replaced, which DROP TABLE removes with their table; with drop-others everything. */
  go: string[]
}

/** Of a table or view, to compare those of an archive with those of the target. */
export function keyOf({ schema, name }: Pick<Entry, 'schema' | 'name'>): string {
  return JSON.stringify([schema, name])
}

/** Compares the tables and views of an archive, by `keyOf`, with those of the target. */
export async function othersAmong(
  archived: ReadonlySet<string>, context: QueryContext,
): Promise<{ replaced: ReplacedRelations; others: Others }> {
  const all = (await queryJson(RELATIONS, z.array(relation), context)).map(([schema, name, oid, above]) =>
    ({ key: keyOf({ schema, name }), name: `${schema}.${name}`, oid, above }))
  const replaced = new Set(all.filter(({ key }) => archived.has(key)).map(({ oid }) => oid))
  const others = all.filter(({ key }) => !archived.has(key))
  const [go, stay] = [true, false].map((goes) => others.filter(({ above }) => above.some((oid) => replaced.has(oid)) === goes))
  return {
    replaced: { but: stay!.map(({ oid }) => oid) },
    others: { stay: stay!.map(({ name }) => name), go: go!.map(({ name }) => name) },
  }
}

const relation = z.tuple([z.string(), z.string(), z.int(), z.array(z.int())])

/** Schema, name and oid of every table and view, without those of extensions, and the tables that it is a partition of. */
const RELATIONS = `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(n.nspname, c.relname, c.oid::pg_catalog.int8,
    CASE WHEN c.relispartition THEN (SELECT pg_catalog.json_agg(above::pg_catalog.oid::pg_catalog.int8)
      FROM pg_catalog.pg_partition_ancestors(c.oid) AS above) ELSE '[]' END) ORDER BY n.nspname, c.relname), '[]')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${users('n.nspname')} AND ${ofNoExtension('pg_class', 'c.oid')}`

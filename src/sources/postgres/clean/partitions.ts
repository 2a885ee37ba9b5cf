import { marked } from '../../../marks.ts'

/** In the message of an error, before their names. */
export const PARTITIONS_LOST = 'partitions that this restore does not replace would be dropped with their tables, with all rows in them'

export const KEEP_PARTITIONS = marked`Select single partitions instead of their table; or detach the partitions that the backup does not ` +
  marked`have, and attach them again afterwards; or restore into a new database (‹mode: create›) and copy the rows.`

/** SQL for a block of PL/pgSQL with a record `one`, which ends with an error if there are such partitions. */
export function refuseOthers(oids: readonly number[]): string {
  return `  FOR one IN SELECT pg_catalog.string_agg(o.name, ', ' ORDER BY o.name) AS names FROM (${otherPartitions(oids)}) o LOOP
    IF one.names IS NOT NULL THEN
      RAISE EXCEPTION '${PARTITIONS_LOST}: %', one.names;
    END IF;
  END LOOP;
`
}

/** A query for the names and oids of partitions of these tables, at any depth, that are not among them: DROP TABLE removes them, too. */
export function otherPartitions(oids: readonly number[]): string {
  return `WITH RECURSIVE chosen AS (${list(oids)}), family AS (
      SELECT oid FROM chosen UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON f.oid = i.inhparent)
    SELECT n.nspname || '.' || c.relname AS name, c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relispartition AND c.oid IN (SELECT oid FROM family) AND c.oid NOT IN (SELECT oid FROM chosen)`
}

export const list = (oids: readonly number[]): string => `SELECT pg_catalog.unnest('{${oids.join(',')}}'::pg_catalog.oid[]) AS oid`

import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { formatSome, oneLine } from '../../../report/format.ts'
import { literal, type QueryContext, queryJson } from '../query.ts'

/** The first oid of objects that are made after initdb (FirstNormalObjectId of PostgreSQL). */
const FIRST_OF_USERS = 16384

/** A query for the class and oid of each object of a catalog that users made, without members of extensions. */
const ofUsers = (catalog: string, condition = 'true'): string => `SELECT o.tableoid AS class, o.oid FROM pg_catalog.${catalog} o
  WHERE o.oid >= ${FIRST_OF_USERS} AND ${condition}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.tableoid AND d.objid = o.oid AND d.deptype = 'e')`

/** The same of the schema public. A key column of a partitioned table is a part of the table itself. */
const inPublic = (leftOut: string): string => `SELECT d.classid AS class, d.objid AS oid
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.nspname = 'public' AND d.deptype = 'n'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend p WHERE p.classid = d.classid AND p.objid = d.objid AND p.refobjid <> p.objid
      AND p.deptype IN (${leftOut}))`

/**
 * In the order in which they are dropped. The schema public stays, because archives do not make it; objects in it that are a part of
 * another one (the sequence of an identity column) go with that.
 */
const OBJECTS = [
  ofUsers('pg_event_trigger'),
  ofUsers('pg_publication'),
  ofUsers('pg_extension', `o.extname <> 'plpgsql'`),
  ofUsers('pg_namespace', `o.nspname <> 'public' AND o.nspname !~ '^pg_'`),
  inPublic(`'e', 'i'`),
  ofUsers('pg_transform'),
  ofUsers('pg_cast'),
  ofUsers('pg_foreign_server'),
  ofUsers('pg_foreign_data_wrapper'),
  ofUsers('pg_language', `o.lanname <> 'plpgsql'`),
  ofUsers('pg_am'),
]

/**
 * SQL that removes every object of users from a database, with large objects, and sets the default privileges of roles back. Statements
 * are made of names that the server quotes.
 */
export const DROP_ALL = `DO LANGUAGE plpgsql ${literal(`
DECLARE
  objects pg_catalog.text;
  one record;
  what record;
  there pg_catalog.bool;
BEGIN
  PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
  FOREACH objects IN ARRAY ARRAY[${OBJECTS.map(literal).join(', ')}]::pg_catalog.text[] LOOP
    FOR one IN EXECUTE objects LOOP
      EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s WHERE oid = %s)', one.class::pg_catalog.regclass, one.oid) INTO there;
      CONTINUE WHEN NOT there;
      SELECT i.type, i.identity INTO what FROM pg_catalog.pg_identify_object(one.class, one.oid, 0) i;
      EXECUTE pg_catalog.format('DROP %s %s CASCADE', CASE
        WHEN what.type IN ('function', 'procedure', 'aggregate') THEN 'ROUTINE'
        WHEN what.type = 'composite type' THEN 'TYPE'
        WHEN what.type = 'statistics object' THEN 'STATISTICS'
        WHEN what.type = 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER'
        ELSE pg_catalog.upper(what.type) END, what.identity);
    END LOOP;
  END LOOP;
  FOR one IN ${inPublic(`'e'`)} LOOP
    RAISE EXCEPTION 'drop-others cannot remove %', pg_catalog.pg_describe_object(one.class, one.oid, 0);
  END LOOP;
  PERFORM pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata;
  FOR one IN SELECT 'ALTER DEFAULT PRIVILEGES FOR ROLE ' || pg_catalog.quote_ident(r.rolname)
      || coalesce(' IN SCHEMA ' || pg_catalog.quote_ident(n.nspname), '') AS change,
      CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
        WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS kind,
      ARRAY(SELECT DISTINCT CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END
        FROM pg_catalog.aclexplode(a.defaclacl) e) AS grantees,
      n.oid IS NULL AS everywhere, pg_catalog.quote_ident(r.rolname) AS owner
    FROM pg_catalog.pg_default_acl a JOIN pg_catalog.pg_roles r ON r.oid = a.defaclrole
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = a.defaclnamespace
  LOOP
    FOR objects IN SELECT pg_catalog.unnest(one.grantees) LOOP
      EXECUTE one.change || ' REVOKE ALL ON ' || one.kind || ' FROM ' || objects;
    END LOOP;
    IF one.everywhere THEN
      EXECUTE one.change || ' GRANT ALL ON ' || one.kind || ' TO ' || one.owner;
      IF one.kind IN ('ROUTINES', 'TYPES') THEN EXECUTE one.change || ' GRANT ALL ON ' || one.kind || ' TO PUBLIC'; END IF;
    END IF;
  END LOOP;
END`)};
`

/** Throws if the database has subscriptions: they cannot be dropped in a transaction, and their slots are at other servers. */
export async function requireNoSubscriptions(context: QueryContext): Promise<void> {
  const found = await queryJson(
    `SELECT coalesce(pg_catalog.json_agg(s.subname ORDER BY s.subname), '[]') FROM pg_catalog.pg_subscription s
      JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()`,
    z.array(z.string()), context)
  if (found.length === 0) return
  throw new LifeboatError(
    `drop-others cannot drop subscriptions, and ${context.connection.where} has ${formatSome(found.map(oneLine), 5)}`,
    { hint: 'Drop them first (DROP SUBSCRIPTION), which also removes their slots at the publishers.' })
}

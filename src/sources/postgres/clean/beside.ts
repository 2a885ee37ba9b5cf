import { marked } from '../../../marks.ts'
import { POST_DATA } from '../contents.ts'
import { type Format, intBytes, textBytes } from '../contents-form.ts'
import { literal } from '../query.ts'
import type { ReplacedRelations } from './locks.ts'
import { list } from './partitions.ts'

/** In the message of an error, before the names of the table and of the publication. */
export const PUBLICATION_LOST = 'a selected table cannot be put back into its publication, and nothing was changed'

export const LEAVE_PUBLICATION = marked`Take the table out of the publication first (ALTER PUBLICATION … DROP TABLE …, as the owner of ` +
  marked`the publication), restore, and add it again; or restore into a new database (‹mode: create›) and copy the rows.`

/** For the time of the transaction: publications of tables, and statements that set default privileges again. */
const SETTING = 'lifeboat.beside'

/**
 * SQL for the beginning of the transaction that replaces tables, of what others have set beside them. DROP TABLE takes a table out of its
 * publications: these are kept for selected tables. Default privileges of the role that restores would be given to each new object; pg_dump
 * writes privileges only where they differ from the built-in ones, and restores default privileges last.
 */
export function keepBeside(replaced: ReplacedRelations): string {
  const tables = 'only' in replaced ? replaced.only : []
  return `DO LANGUAGE plpgsql ${literal(`
DECLARE
  again pg_catalog.json[] := '{}';
  publications pg_catalog.text;
  one record;
BEGIN
  FOR one IN SELECT p.pubname, r.prrelid::pg_catalog.regclass AS name FROM pg_catalog.pg_publication_rel r
    JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
    WHERE r.prrelid IN (${list(tables)}) AND NOT pg_catalog.pg_has_role(p.pubowner, 'USAGE')
  LOOP
    RAISE EXCEPTION '${PUBLICATION_LOST}: % (publication %): must be owner of the publication', one.name, one.pubname;
  END LOOP;
  EXECUTE pg_catalog.format($$SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('publication', p.pubname,
      'schema', n.nspname, 'table', c.relname, 'part', %s)), '[]')
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE r.prrelid IN (${list(tables)})$$,
    CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 150000 THEN '''''' ELSE
      $$coalesce(' (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')', '')
        || coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')', '')$$ END) INTO publications;
  FOR one IN WITH acls AS (
      SELECT a.oid, a.defaclacl AS now, CASE a.defaclnamespace WHEN 0 THEN pg_catalog.acldefault(CASE a.defaclobjtype
          WHEN 'S' THEN 's' ELSE a.defaclobjtype END, a.defaclrole) END AS builtin,
        n.nspname AS schema, a.defaclobjtype AS type,
        'ALTER DEFAULT PRIVILEGES' || coalesce(' IN SCHEMA ' || pg_catalog.quote_ident(n.nspname), '') AS change,
        CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
          WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS kind
      FROM pg_catalog.pg_default_acl a LEFT JOIN pg_catalog.pg_namespace n ON n.oid = a.defaclnamespace
      WHERE a.defaclrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
        AND (n.oid IS NULL OR pg_catalog.has_schema_privilege(n.oid, 'CREATE'))),
    differences AS (
      (SELECT a.oid, true AS granted, e.grantee, e.privilege_type, e.is_grantable FROM acls a, pg_catalog.aclexplode(a.now) e
        EXCEPT SELECT a.oid, true, e.grantee, e.privilege_type, e.is_grantable FROM acls a, pg_catalog.aclexplode(a.builtin) e)
      UNION ALL
      (SELECT a.oid, false, e.grantee, e.privilege_type, e.is_grantable FROM acls a, pg_catalog.aclexplode(a.builtin) e
        EXCEPT SELECT a.oid, false, e.grantee, e.privilege_type, e.is_grantable FROM acls a, pg_catalog.aclexplode(a.now) e)),
    statements AS (
      SELECT d.granted, a.schema, a.type, a.change || ' GRANT ' || d.privilege_type || ' ON ' || a.kind || ' TO ' || w.who
          || CASE WHEN d.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS "grant",
        a.change || ' REVOKE ' || d.privilege_type || ' ON ' || a.kind || ' FROM ' || w.who AS "revoke"
      FROM differences d JOIN acls a ON a.oid = d.oid, LATERAL (SELECT CASE d.grantee WHEN 0 THEN 'PUBLIC'
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(d.grantee)) END AS who) w)
    SELECT CASE WHEN s.granted THEN s."revoke" ELSE s."grant" END AS now,
      pg_catalog.json_build_object('schema', s.schema, 'type', s.type,
        'statement', CASE WHEN s.granted THEN s."grant" ELSE s."revoke" END) AS later
    FROM statements s ORDER BY s.granted DESC
  LOOP
    EXECUTE one.now;
    again := one.later || again;
  END LOOP;
  PERFORM pg_catalog.set_config('${SETTING}', pg_catalog.json_build_object(
    'publications', publications::pg_catalog.json, 'again', again)::pg_catalog.text, true);
END`)};
`
}

/**
 * An entry for the end of the archive, under this id, that sets again what `keepBeside` kept. The archive itself may have done so. In a
 * restore of everything, pg_restore runs the entry after the default privileges of the archive, which it restores after everything else:
 * those of a schema and a kind of objects that the archive has set are not changed.
 */
export function besideAgain(id: number, replaced: ReplacedRelations): (format: Format) => Buffer {
  const kind = 'only' in replaced ? 'PUBLICATION TABLE' : 'DEFAULT ACL'
  const sql = `DO LANGUAGE plpgsql ${literal(`
DECLARE
  kept pg_catalog.json := pg_catalog.current_setting('${SETTING}');
  one record;
BEGIN
  FOR one IN SELECT a.change ->> 'statement' AS statement
    FROM pg_catalog.json_array_elements(kept -> 'again') WITH ORDINALITY AS a (change, place)
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = a.change ->> 'schema'
    WHERE (a.change ->> 'schema' IS NULL OR pg_catalog.has_schema_privilege(n.oid, 'CREATE'))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
        WHERE r.rolname = current_user AND d.defaclnamespace = coalesce(n.oid, 0::pg_catalog.oid)
          AND d.defaclobjtype::pg_catalog.text = a.change ->> 'type')
    ORDER BY a.place
  LOOP
    EXECUTE one.statement;
  END LOOP;
  FOR one IN SELECT m.* FROM pg_catalog.json_to_recordset(kept -> 'publications')
      AS m (publication pg_catalog.text, schema pg_catalog.text, "table" pg_catalog.text, part pg_catalog.text)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
      JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE p.pubname = m.publication AND n.nspname = m.schema AND c.relname = m."table")
  LOOP
    BEGIN
      EXECUTE pg_catalog.format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I', one.publication, one.schema, one."table") || one.part;
    EXCEPTION WHEN others THEN
      RAISE EXCEPTION '${PUBLICATION_LOST}: %.% (publication %): %', one.schema, one."table", one.publication, SQLERRM;
    END;
  END LOOP;
END`)};
`
  return (format) => {
    const int = (value: number): Buffer => intBytes(value, format)
    const text = (value: string): Buffer => textBytes(value, format)
    const none = int(-1)
    return Buffer.concat([
      int(id), int(0), text('0'), text('0'), text('lifeboat'), text(kind), int(POST_DATA), text(sql), text(''), text(''),
      none, none, ...(format.minor >= 14 ? [none] : []), ...(format.minor >= 16 ? [int(0)] : []), text(''), text('false'), none,
      Buffer.from([NO_DATA]), Buffer.alloc(format.position),
    ])
  }
}

/** The place of the data of an entry that has none (K_OFFSET_NO_DATA in pg_backup_archiver.h of PostgreSQL). */
const NO_DATA = 3

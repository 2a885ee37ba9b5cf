import { literal } from '../query.ts'

/** Drills that begin and end at the same time make and drop roles one after the other: the numbers of an advisory lock. */
const LOCK = '1818387571, 0'

/** The comment of the role that a drill makes first and drops last. */
export const LOADER_MARK = 'loads the rows of a drill of Lifeboat'
/** The comment of roles that are made because a backup names them; no others are changed. */
const ROLE_MARK = 'made for drills of Lifeboat'
const MARKED = `pg_catalog.shobj_description(oid, 'pg_authid') = ${literal(ROLE_MARK)}`

/** The only role of PostgreSQL itself that roles of a backup become members of: it may read all rows, and no files. */
export const READER = 'pg_read_all_data'

/** The roles that were made because backups name them. */
export const MADE_ROLES = `FROM pg_catalog.pg_roles WHERE NOT rolsuper AND NOT rolcanlogin AND ${MARKED}`

/** Makes those of these roles that the server lacks. */
export function makeRoles(names: readonly string[]): string {
  return alone(`
  FOREACH one IN ARRAY ${array(names)} LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = one) THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', one);
      EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', one, ${literal(ROLE_MARK)});
    END IF;
  END LOOP;`)
}

/** Makes members among these roles. One that cannot be is left out: a refresh that needs it says so. */
export function makeMembers(pairs: readonly (readonly [group: string, member: string])[]): string {
  const [groups, members] = [pairs.map(([group]) => group), pairs.map(([, member]) => member)]
  return alone(`
  FOR one, other IN SELECT * FROM ROWS FROM (pg_catalog.unnest(${array(groups)}), pg_catalog.unnest(${array(members)})) LOOP
    IF (one = '${READER}' OR EXISTS (SELECT ${MADE_ROLES} AND rolname = one)) AND EXISTS (SELECT ${MADE_ROLES} AND rolname = other) THEN
      BEGIN
        EXECUTE pg_catalog.format('GRANT %I TO %I', one, other);
      EXCEPTION WHEN invalid_grant_operation OR insufficient_privilege THEN
        NULL;
      END;
    END IF;
  END LOOP;`)
}

/** Lets roles create in schemas of others, or takes that back. Schemas that are missing are left out. */
export function changeCreating(verb: 'GRANT' | 'REVOKE', pairs: readonly (readonly [schema: string, owner: string])[]): string {
  const [schemas, owners] = [pairs.map(([schema]) => schema), pairs.map(([, owner]) => owner)]
  return alone(`
  FOR one, other IN SELECT * FROM ROWS FROM (pg_catalog.unnest(${array(schemas)}), pg_catalog.unnest(${array(owners)})) LOOP
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = one AND pg_catalog.pg_get_userbyid(nspowner) <> other)
      AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = other AND NOT rolsuper) THEN
      EXECUTE pg_catalog.format('${verb} CREATE ON SCHEMA %I ${verb === 'GRANT' ? 'TO' : 'FROM'} %I', one, other);
    END IF;
  END LOOP;`)
}

/** Row security hides nothing from these roles. */
export function seeAllRows(names: readonly string[]): string {
  return alone(`
  FOR one IN SELECT rolname ${MADE_ROLES} AND rolname = ANY (${array(names)}) LOOP
    EXECUTE pg_catalog.format('ALTER ROLE %I BYPASSRLS', one);
  END LOOP;`)
}

/** Drops the roles that were made, unless a condition holds. Those that databases still name stay. */
export function dropMade(unless: string): string {
  return alone(`
  IF NOT ${unless} THEN
    FOR one IN SELECT rolname ${MADE_ROLES} LOOP
      BEGIN
        EXECUTE pg_catalog.format('DROP ROLE %I', one);
      EXCEPTION WHEN dependent_objects_still_exist THEN
        NULL;
      END;
    END LOOP;
  END IF;`)
}

function array(texts: readonly string[]): string {
  return `ARRAY[${texts.map(literal).join(', ')}]::pg_catalog.text[]`
}

function alone(statements: string): string {
  const body = `
DECLARE
  one pg_catalog.text;
  other pg_catalog.text;
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock(${LOCK});${statements}
END`
  return `DO LANGUAGE plpgsql ${literal(body)}`
}

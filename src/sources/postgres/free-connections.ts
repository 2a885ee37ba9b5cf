import { z } from 'zod'

/**
 * SQL for a table of one row: the connections that this session's role may still have, its own session included, by the settings of the
 * server, the limit of the role and that of the database (NULL: none). A role without pg_read_all_stats does not see the types of sessions
 * of others: all in a database count. The limits do not bind superusers. `leavesReserved`: a superuser leaves the reserved ones to others.
 */
export const freeConnections = (leavesReserved: boolean): string => `(
  SELECT pg_catalog.current_setting('max_connections')::pg_catalog.int8 + 1 - pg_catalog.count(*)
      - CASE WHEN r.rolsuper AND NOT ${leavesReserved} THEN 0 ELSE
        pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int8
        + CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_roles u WHERE u.rolname = 'pg_use_reserved_connections' AND NOT ${leavesReserved}
              AND pg_catalog.pg_has_role(r.oid, u.oid, 'USAGE'))
          THEN 0 ELSE coalesce(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int8, 0) END
      END AS of_server,
    CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper
      THEN r.rolconnlimit + 1 - pg_catalog.count(*) FILTER (WHERE usesysid = r.oid) END AS of_role,
    CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper
      THEN d.datconnlimit + 1 - pg_catalog.count(*) FILTER (WHERE datid = d.oid) END AS of_database
  FROM pg_catalog.pg_roles r, pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_stat_activity a
    ON a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.datid IS NOT NULL)
  WHERE r.rolname = session_user AND d.datname = pg_catalog.current_database()
  GROUP BY r.oid, r.rolsuper, r.rolconnlimit, d.oid, d.datconnlimit)`

/** Connections that a role may still have: at the server, and by the limits of the role and of the database (null: none). */
export const connections = z.strictObject({ server: z.int(), role: z.int().nullable(), database: z.int().nullable() })
export type Connections = z.infer<typeof connections>

/** The same as SQL; a superuser may have the reserved ones as well. */
export const connectionsSql = `(
  SELECT pg_catalog.json_build_object('server', of_server, 'role', of_role, 'database', of_database) FROM ${freeConnections(false)} AS f)`

export function freeOf(connections: Connections): number {
  return Math.max(0, fewest(connections))
}

/** The setting by which the fewest are free. */
export function tightestLimit(connections: Connections): string {
  const free = fewest(connections)
  if (free === connections.server) return 'max_connections'
  return `the CONNECTION LIMIT of the ${free === connections.role ? 'role' : 'database'}`
}

function fewest({ server, role, database }: Connections): number {
  return Math.min(server, role ?? Infinity, database ?? Infinity)
}

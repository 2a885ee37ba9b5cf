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

import { change, identifier, literal, type QueryContext } from '../query.ts'

/** The message of the guard: a function of the database changed definitions while the drill restored. */
export const GUARDED = 'a function of the database may not change definitions while a drill restores it'

/**
 * Lets roles without superuser rights change definitions only by statements of pg_restore, not from within functions: a function that
 * runs as the maker could replace a function that a superuser's index calls later, or add one that fits better. `name`: that of the event
 * trigger, and of its schema. Inside of a function, the context has more lines than that of the event trigger's own.
 */
export async function guard(name: string, database: QueryContext): Promise<void> {
  const schema = identifier(name)
  const body = `
DECLARE
  stack pg_catalog.text;
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user) THEN
    RETURN;
  END IF;
  GET DIAGNOSTICS stack = PG_CONTEXT;
  IF pg_catalog.strpos(stack, pg_catalog.chr(10)) > 0 THEN
    RAISE EXCEPTION USING MESSAGE = ${literal(GUARDED)};
  END IF;
END`
  await change(
    [
      `CREATE SCHEMA ${schema}`, `GRANT USAGE ON SCHEMA ${schema} TO PUBLIC`,
      `CREATE FUNCTION ${schema}.guard() RETURNS pg_catalog.event_trigger LANGUAGE plpgsql
        SET search_path = pg_catalog, pg_temp AS ${literal(body)}`,
      `CREATE EVENT TRIGGER ${schema} ON ddl_command_start EXECUTE FUNCTION ${schema}.guard()`,
      `ALTER EVENT TRIGGER ${schema} ENABLE ALWAYS`,
    ],
    database,
  )
}

export async function dropGuard(name: string, database: QueryContext): Promise<void> {
  const schema = identifier(name)
  await change([`DROP EVENT TRIGGER ${schema}`, `DROP FUNCTION ${schema}.guard()`, `DROP SCHEMA ${schema}`], database)
}

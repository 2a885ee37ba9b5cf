import { z } from 'zod'
import { queryJson, type QueryContext } from '../query.ts'
import { type Dump, withFirst } from './together.ts'

const ATTEMPTS = 3

/** Names of tables, as messages show them, by their ids, and the files of their rows: TRUNCATE and most of ALTER TABLE make new ones. */
const files = z.record(z.string(), z.strictObject({ table: z.string(), file: z.string() }))

const FILES = `SELECT coalesce(pg_catalog.json_object_agg(c.oid, pg_catalog.json_build_object(
    'table', pg_catalog.concat(n.nspname, '.', c.relname), 'file', c.relfilenode)), '{}')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

/**
 * Starts one pg_dump. It takes its snapshot before it locks its tables, and to that snapshot a table is empty that another session rewrites
 * in between, while pg_dump waits for the lock (PostgreSQL documentation, "Caveats" of MVCC). So it begins again if there is one
 * when its first bytes come: by then it has locked all. `rewritten`: tables for which that did not help.
 */
export async function beginAlone(
  dump: Dump, context: QueryContext & { signal: AbortSignal }, onAgain: (table: string) => void,
): Promise<{ archive: AsyncGenerator<Buffer>; rewritten: string[] }> {
  for (let attempt = 1; ; attempt++) {
    const before = await queryJson(FILES, files, context)
    const archive = dump(context.signal)
    try {
      const first = await archive.next()
      const after = await queryJson(FILES, files, context)
      const rewritten = Object.entries(after).flatMap(([id, { table, file }]) => (file === (before[id]?.file ?? file) ? [] : [table]))
      if (rewritten.length === 0 || attempt === ATTEMPTS) return { archive: withFirst(first, archive), rewritten }
      onAgain(rewritten[0]!)
    } catch (error) {
      await archive.return(undefined)
      throw error
    }
    await archive.return(undefined)
  }
}

import { z } from 'zod'
import { OF_USERS, queryJson, type QueryContext } from '../query.ts'
import { type Dump, withFirst } from './together.ts'

/** With arguments, pg_dump may leave tables out, which are then rewritten at any time, or take an older snapshot each time. */
const ATTEMPTS = { plain: 3, withArguments: 1 }

/** A table whose rows may be missing in the archive. */
export interface Rewritten {
  oid: string
  table: string
}

/**
 * Tables by their ids, and the files of their rows: TRUNCATE and most of ALTER TABLE make new ones. That of a new table has the number of
 * the table (heap_create in heap.c of PostgreSQL).
 */
const tableFiles = z.record(z.string(), z.strictObject({ table: z.string(), file: z.string() }))

const TABLE_FILES = `SELECT coalesce(pg_catalog.json_object_agg(c.oid, pg_catalog.json_build_object(
    'table', pg_catalog.concat(n.nspname, '.', c.relname), 'file', c.relfilenode)), '{}')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND ${OF_USERS}`

/**
 * Starts one pg_dump. It takes its snapshot before it locks its tables, and to that snapshot a table is empty that another session rewrites
 * in between, while pg_dump waits for the lock (PostgreSQL documentation, "Caveats" of MVCC). So it begins again if there is one
 * when its first bytes come: by then it has locked all. `plain`: it has no arguments. `rewritten`: tables for which that did not help.
 */
export async function beginAlone(
  dump: Dump, { plain, ...context }: QueryContext & { signal: AbortSignal; plain: boolean }, onAgain: (table: string) => void,
): Promise<{ archive: AsyncGenerator<Buffer>; rewritten: Rewritten[] }> {
  const attempts = plain ? ATTEMPTS.plain : ATTEMPTS.withArguments
  let before = await queryJson(TABLE_FILES, tableFiles, context)
  for (let attempt = 1; ; attempt++) {
    const archive = dump(context.signal)
    try {
      const first = await archive.next()
      const after = await queryJson(TABLE_FILES, tableFiles, context)
      const rewritten = Object.entries(after).flatMap(([oid, { table, file }]) =>
        (file === (before[oid]?.file ?? oid) ? [] : [{ oid, table }]))
      if (rewritten.length === 0 || attempt === attempts) return { archive: withFirst(first, archive), rewritten }
      onAgain(rewritten[0]!.table)
      before = after
    } catch (error) {
      await archive.return(undefined)
      throw error
    }
    await archive.return(undefined)
  }
}

import type { Changes } from './contents.ts'

const END = ' FROM stdin;\n'

/**
 * Changes COPY statements of tables that are new and empty: `TRUNCATE` in the same transaction lets the server write rows that are frozen,
 * so that the indexes that follow do not write each page again, and without WAL if wal_level is minimal (PostgreSQL documentation: COPY,
 * "Populating a Database"). Both statements are one message of pg_restore's, and so one transaction. `isNew`: whether the restore has made
 * a table, by what its rows depend on.
 */
export function frozenCopy(isNew: (needs: readonly number[]) => boolean): NonNullable<Changes['copy']> {
  return (statement, name, needs) => {
    // Another name is the root of its partitions: rows of others may be there.
    const target = qualified(name).find((one) => statement.startsWith(`COPY ${one} `))
    if (target === undefined || !statement.endsWith(END) || !isNew(needs)) return undefined
    const columns = statement.slice(`COPY ${target} `.length, -END.length)
    // Old options (WITH OIDS) and new ones exclude each other.
    if (columns !== '' && !columns.endsWith(')')) return undefined
    return `TRUNCATE TABLE ONLY ${target};\nCOPY ${target} ${columns} FROM stdin WITH (FREEZE);\n`
  }
}

function qualified([schema, name]: readonly [string, string]): string[] {
  return formsOf(schema).flatMap((schema) => formsOf(name).map((name) => `${schema}.${name}`))
}

/** The forms in which pg_dump may write a name: it is quoted if it is a keyword, or has more than these characters. */
function formsOf(name: string): string[] {
  return [`"${name.replaceAll('"', '""')}"`, ...(/^[a-z_][a-z0-9_]*$/.test(name) ? [name] : [])]
}

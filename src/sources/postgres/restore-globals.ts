import { z } from 'zod'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { formatSome } from '../../report/format.ts'
import type { Report } from '../../environment.ts'
import { unexpectedLine } from './globals-script.ts'
import { changeBy, queryJson, type QueryContext, withoutTransaction } from './query.ts'
import { type GlobalStatement, readGlobalsScript } from './roles-script.ts'
import { findMaintenance } from './target.ts'

/** More than a server has: some hundred bytes for each role. */
const LARGEST = 64 * 1024 * 1024

/** Roles and tablespaces that were made at a server for a restore. */
export interface MadeGlobals {
  roles: string[]
  tablespaces: string[]
}

/**
 * Makes the roles of a backup that the server of the target lacks, with their passwords, settings, comments and memberships, in one
 * transaction; with `all`, also the tablespaces. Those that the server has stay as they are.
 */
export async function makeGlobals(
  script: AsyncIterable<Buffer>, wanted: 'roles' | 'all', context: QueryContext, report: Report,
): Promise<MadeGlobals> {
  const { roles, tablespaces, statements, maintenance } = await planGlobals(script, wanted, context, report)
  await run(statements.forRoles, maintenance)
  for (const { sql } of statements.forTablespaces) await withoutTransaction(sql, maintenance)
  return { roles, tablespaces }
}

interface PlannedGlobals extends MadeGlobals {
  statements: { forRoles: GlobalStatement[]; forTablespaces: GlobalStatement[] }
  maintenance: QueryContext
}

/** The same, without changing anything. */
export async function planGlobals(
  script: AsyncIterable<Buffer>, wanted: 'roles' | 'all', context: QueryContext, report: Report,
): Promise<PlannedGlobals> {
  const maintenance = await findMaintenance(context)
  const text = await readScript(script)
  const { statements, unknown } = readGlobalsScript(text, maintenance.target.major)
  if (unknown.length > 0) report.warning(`statements of globals.sql that are not about roles were left out: ${formatSome(unknown, 5)}`)
  const there = await namesAt(maintenance)
  const missing = new Set(statements.filter(isCreation).flatMap(({ roles }) => roles).filter((role) => !there.roles.includes(role)))
  // A membership is about two roles.
  const forRoles = statements.filter(({ roles }) => roles.some((role) => missing.has(role)))
  const forTablespaces = wanted === 'all'
    ? statements.filter(({ tablespace }) => tablespace !== undefined && !there.tablespaces.includes(tablespace)) : []
  return {
    roles: [...missing], tablespaces: forTablespaces.flatMap(({ tablespace }) => tablespace ?? []),
    statements: { forRoles, forTablespaces }, maintenance,
  }
}

const isCreation = ({ sql }: Pick<GlobalStatement, 'sql'>): boolean => sql.startsWith('CREATE ROLE ')

async function readScript(script: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of script) {
    size += piece.length
    if (size > LARGEST) throw new LifeboatError('globals.sql of the backup is larger than 64 MiB')
    pieces.push(Buffer.from(piece))
  }
  const bytes = Buffer.concat(pieces)
  const line = unexpectedLine(bytes)
  if (line) throw new LifeboatError(`line ${line.number} of globals.sql is not as pg_dumpall writes it: ${JSON.stringify(line.text)}`)
  return bytes.toString()
}

const names = z.strictObject({ roles: z.array(z.string()), tablespaces: z.array(z.string()) })

function namesAt(context: QueryContext): Promise<z.infer<typeof names>> {
  return queryJson(
    `SELECT pg_catalog.json_build_object(
      'roles', (SELECT coalesce(pg_catalog.json_agg(rolname), '[]') FROM pg_catalog.pg_roles),
      'tablespaces', (SELECT coalesce(pg_catalog.json_agg(spcname), '[]') FROM pg_catalog.pg_tablespace))`,
    names,
    context,
  )
}

/** By standard input: arguments of a program can be seen by others, and passwords are among the statements. */
async function run(statements: readonly GlobalStatement[], context: QueryContext): Promise<void> {
  if (statements.length === 0) return
  const lines = statements.map(({ sql }) => `${sql.replaceAll(/[\\\n\r\t]/g, (character) => COPIED[character]!)}\n`)
  try {
    await changeBy(Buffer.from(lines.join('')), [TABLE, 'COPY pg_temp.lifeboat_globals (sql) FROM STDIN', EXECUTE], context)
  } catch (cause) {
    if (!(cause instanceof LifeboatError)) throw cause
    throw new LifeboatError(`the roles of the backup could not be made at ${context.connection.where}: ${messageOf(cause)}`, {
      cause,
      hint: marked`Restore as a role that may create them; or make them by hand (‹lifeboat extract› writes globals.sql), and set ` +
        marked`‹globals: none›; or leave roles out with ‹no-owner: true› and ‹no-privileges: true›.`,
    })
  }
}

/** Characters in the text format of COPY. */
const COPIED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const TABLE =
  'CREATE TEMPORARY TABLE lifeboat_globals (place pg_catalog.int4 GENERATED ALWAYS AS IDENTITY, sql pg_catalog.text) ON COMMIT DROP'
const EXECUTE = `DO LANGUAGE plpgsql $globals$
DECLARE
  one pg_catalog.text;
BEGIN
  FOR one IN SELECT g.sql FROM pg_temp.lifeboat_globals g ORDER BY g.place LOOP
    EXECUTE one;
  END LOOP;
END $globals$`

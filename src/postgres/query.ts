import type { z } from 'zod'
import { runChild } from '../child.ts'
import { LifeboatError } from '../error.ts'
import { type Client, programOf } from './clients.ts'
import { clientEnvironment, type Connection } from './connection.ts'
import { explain } from './errors.ts'

export interface QueryContext {
  connection: Connection
  client: Client
  /** The environment that `PATH` and the like are taken from. */
  variables: Readonly<Record<string, string | undefined>>
  signal?: AbortSignal
}

/** Runs SQL with psql, stopping at the first error; what it printed, unaligned and without headings. Throws `LifeboatError`. */
export async function execute(sql: string, context: QueryContext): Promise<string> {
  const { connection, client, variables, signal } = context
  const parameters = ['-X', '-q', '-A', '-t', '-w', '-v', 'ON_ERROR_STOP=1', `--dbname=${connection.parameters}`, '-f', '-']
  const environment = { ...clientEnvironment(connection, variables), PGCLIENTENCODING: 'UTF8' }
  try {
    return (await runChild(programOf(client, 'psql'), parameters, { environment, input: sql, ...(signal && { signal }) })).stdout
  } catch (error) {
    throw explain(error, 'query', connection)
  }
}

/** Runs a query whose one value is JSON. */
export async function queryJson<T>(sql: string, shape: z.ZodType<T>, context: QueryContext): Promise<T> {
  const text = await execute(sql, context)
  try {
    return shape.parse(JSON.parse(text))
  } catch (cause) {
    throw new LifeboatError(`${context.connection.where} answered something unexpected: ${text.slice(0, 200)}`, { cause })
  }
}

/** A name as SQL wants it. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A text as SQL wants it, whatever `standard_conforming_strings` is. */
export const literal = (text: string): string => ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

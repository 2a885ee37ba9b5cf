import { marked } from '../../marks.ts'
import { badFinding, type Finding } from '../../report/finding.ts'
import type { SourceAccess } from '../settings.ts'
import type { Diagnosed, GivenSource, SourceContext } from '../source-kind.ts'
import { anyClient, dumpClient } from './client-download/choose.ts'
import { type ClientPrograms, clientPrograms } from './client-programs.ts'
import type { Connection } from './connection.ts'
import { diagnose, judge } from './diagnosis.ts'
import type { DatabaseLocation } from './location.ts'
import { type Route, routeTo } from './route.ts'
import { connectionTo, requireDatabaseName } from './sources.ts'

/** Connects to each database and asks for whatever could keep it from being dumped, or from being dumped whole. */
export async function diagnoseDatabases(
  given: readonly GivenSource<DatabaseLocation>[],
  { tunnel, ssh }: SourceAccess,
  context: SourceContext,
): Promise<Diagnosed> {
  const databases = given.map(({ name, location }) => ({ name, connection: connectionTo(location, context) }))
  const route = routeTo(databases.map(({ connection }) => connection), tunnel && { target: tunnel, access: ssh }, context)
  const diagnosed: Diagnosed = { findings: [], size: 0 }
  try {
    for (const { name, connection } of databases) {
      const { findings, size } = await diagnoseOne(`${name} (${connection.where})`, connection, route, context)
      diagnosed.findings.push(...findings)
      diagnosed.size += size
    }
    return diagnosed
  } finally {
    await route.close()
  }
}

async function diagnoseOne(about: string, given: Connection, route: Route, context: SourceContext): Promise<Diagnosed> {
  const { variables, signal } = context
  try {
    requireDatabaseName(given)
    const programs = await clientPrograms(context)
    const connection = await route.to(given)
    const client = await anyClient(programs.clients, programs.provide)
    const facts = await diagnose({ connection, client, variables, signal })
    const port = Number(connection.environment['PGPORT'] ?? '5432')
    const findings = judge(about, facts, connection.server, Number.isInteger(port) ? port : undefined, isLoopback(given))
    return { findings: [...findings, await diagnoseClient(about, Number.parseInt(facts.version, 10), programs)], size: facts.size }
  } catch (error) {
    signal.throwIfAborted()
    return { findings: [badFinding(about, 'connection', await route.causeOf(error))], size: 0 }
  }
}

function isLoopback({ environment: { PGHOST, PGHOSTADDR, PGSERVICE } }: Connection): boolean {
  return PGSERVICE === undefined && /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/.test(PGHOSTADDR ?? PGHOST ?? '')
}

async function diagnoseClient(about: string, major: number, { clients, provide }: ClientPrograms): Promise<Finding> {
  try {
    const { client, warning } = await dumpClient(clients, major, provide)
    if (warning === undefined) return { about, check: 'client', state: 'good', says: `pg_dump ${client.major} in ${client.directory}` }
    const fix = marked`Install the client programs of PostgreSQL ${major}, or leave ‹client-install: auto›.`
    return { about, check: 'client', state: 'warning', says: warning, fix }
  } catch (error) {
    return badFinding(about, 'client', error)
  }
}

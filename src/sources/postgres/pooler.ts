import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Connection } from './connection.ts'
import { noConnectionIsFree } from './errors.ts'
import { NoAnswerInTime, type QueryContext, withoutTransaction } from './query.ts'

/** The server's view of a statement. */
interface Sighting {
  /** The process, and when its server started: several servers can be behind one address. */
  process: string
  /** Seconds since 1970, by the server's clock. */
  time: number
  /** The address that the server itself listens on; undefined for a socket. */
  address?: string
  port?: number
}

export interface Pooling {
  /** Each transaction gets any free server process: a pooler in transaction or statement mode. */
  pooled: boolean
  /** `host:port` to use in its place, as far as can be known. */
  direct?: string
  /** The reason why there was no second session to compare with, if it was not that the server had no connection to give. */
  partial?: string
  /** There was no second session, because the server, or a pooler in session mode, had no connection to give. */
  single?: true
}

const sighting = `SELECT pg_catalog.concat(pg_catalog.pg_backend_pid(), ' of ', extract(epoch FROM pg_catalog.pg_postmaster_start_time())),
  extract(epoch FROM pg_catalog.clock_timestamp()), pg_catalog.host(pg_catalog.inet_server_addr()), pg_catalog.inet_server_port()`
const sightings = Array.from({ length: 5 }, () => sighting)
/** Larger than the buffer of a pipe, so that psql waits until it is read. */
const filler = `SELECT pg_catalog.repeat('#', 1048576)`
/** Milliseconds. A pooler in session mode may have no process for a second session. */
const SECOND_SESSION = 10_000

/**
 * Asks whether a session keeps its server process, also while it is idle and a second session runs: a pooler in transaction mode then gives
 * the second one the process of the first.
 */
export async function detectPooler(context: QueryContext): Promise<Pooling> {
  let second: Awaited<ReturnType<typeof secondSession>> | undefined
  const printed = await withoutTransaction([...sightings, filler, ...sightings], context, async (piece) => {
    if (second === undefined && piece.includes('#')) second = await secondSession(context)
  })
  const first = parse(printed)
  const direct = directServer(context.connection, first[0])
  const { seen = [], ...failure } = second ?? {}
  return { pooled: sharesProcesses([first, seen]), ...(direct !== undefined && { direct }), ...failure }
}

/**
 * Nothing is seen if the server, or a pooler in session mode, has no second connection to give; of every other failure, `partial` is the
 * message: servers and poolers say the same in many words and languages. The first session then answers for itself.
 */
async function secondSession(context: QueryContext): Promise<{ seen: Sighting[] } & Pick<Pooling, 'partial' | 'single'>> {
  try {
    return { seen: parse(await withoutTransaction(sightings, { ...context, timeLimit: SECOND_SESSION })) }
  } catch (error) {
    context.signal?.throwIfAborted()
    if (!(error instanceof LifeboatError)) throw error
    return { seen: [], ...(error instanceof NoAnswerInTime || noConnectionIsFree(error) ? { single: true } : { partial: error.message }) }
  }
}

function parse(printed: Buffer): Sighting[] {
  const lines = printed.toString().split('\n').filter((line) => line.includes('|'))
  return lines.map((line) => {
    const [process = '', time, address, port] = line.split('|')
    return { process, time: Number(time), ...(address && { address }), ...(port && { port: Number(port) }) }
  })
}

/** Throws for a pooler in transaction mode. `onPartial` gets the reason if one may be overlooked. */
export async function requireSession(context: QueryContext, onPartial: (reason: string) => void): Promise<void> {
  const { pooled, direct, partial } = await detectPooler(context)
  if (!pooled && partial !== undefined) onPartial(partial)
  if (!pooled) return
  throw new LifeboatError(
    `${context.connection.where} is a pooler in transaction mode: what pg_dump sets in a session would stay there for other clients`,
    {
      hint: marked`${useInstead(context.connection, direct)}. If it resets every session after each transaction, ‹allow-pooler: true› ` +
        'allows it.',
    },
  )
}

export function useInstead({ server }: Pick<Connection, 'server'>, direct: string | undefined): string {
  return direct === undefined
    ? 'Use the URL of the server itself, or that of a pooler in session mode'
    : `Use the same URL with ${direct} in place of ${server}`
}

/** Whether one session had several processes, or two sessions had the same one at the same time; pure. */
export function sharesProcesses(sessions: readonly (readonly Sighting[])[]): boolean {
  const seen: { process: string; from: number; to: number }[] = []
  for (const session of sessions) {
    const processes = new Set(session.map(({ process }) => process))
    const times = session.map(({ time }) => time)
    const [from, to] = [Math.min(...times), Math.max(...times)]
    if (processes.size > 1 || seen.some((other) => processes.has(other.process) && from < other.to && other.from < to)) return true
    for (const process of processes) seen.push({ process, from, to })
  }
  return false
}

/** Where to connect in place of a pooler: by what its provider documents, or as the server says. Pure. */
export function directServer(
  { environment, server }: Pick<Connection, 'environment' | 'server'>,
  seen?: Pick<Sighting, 'address' | 'port'>,
): string | undefined {
  const [host = '', port = '5432'] = [environment['PGHOST'], environment['PGPORT']]
  if (host.endsWith('.pooler.supabase.com') && port === '6543') return `${host}:5432`
  if (/^[^.]+-pooler\..*neon\.tech$/.test(host)) return `${host.replace('-pooler.', '.')}:${port}`
  if (host.endsWith('.ondigitalocean.com') && port === '25061') return `${host}:25060`
  const { address, port: listens } = seen ?? {}
  if (address === undefined || listens === undefined || !/^[0-9a-fA-F.:]+$/.test(address) || !Number.isInteger(listens)) return undefined
  const near = /^(?:127\.|::1$)/.test(address) ? host : address
  const direct = `${near.includes(':') ? `[${near}]` : near}:${listens}`
  return near === '' || direct === server ? undefined : direct
}

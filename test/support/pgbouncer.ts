import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Daemon, startDaemon } from './daemon.ts'
import { give, nobody, type Server } from './postgres-server.ts'

export interface Pgbouncer extends Daemon {
  /** `postgres://…` of the superuser, through the pooler. */
  url(database: string): string
}

/** A real pgbouncer on a free port of loopback, in front of a server that trusts everybody. */
export async function startPgbouncer(server: Server, settings: Record<string, string>): Promise<Pgbouncer> {
  const daemon = await startDaemon('pgbouncer', (port, folder) => {
    // It refuses to run as root.
    give(folder)
    const config = path.join(folder, 'pgbouncer.ini')
    const lines = Object.entries({ listen_addr: '127.0.0.1', listen_port: String(port), auth_type: 'any', unix_socket_dir: '', ...settings })
    writeFileSync(config, ['[databases]', `* = host=127.0.0.1 port=${server.port} user=postgres`, '[pgbouncer]', ...lines.map(([name, value]) => `${name} = ${value}`), ''].join('\n'))
    return { program: '/usr/sbin/pgbouncer', args: [config], user: nobody }
  })
  return { ...daemon, url: (database) => `postgres://postgres@127.0.0.1:${daemon.port}/${encodeURIComponent(database)}` }
}

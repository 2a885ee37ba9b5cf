import { createRequire } from 'node:module'
import path from 'node:path'
import { type Daemon, startDaemon } from '../daemon.ts'

export interface Azurite extends Daemon {
  url: string
  /** The key of the account that every Azurite has. */
  key: string
}

const PROGRAM = path.join(path.dirname(createRequire(import.meta.url).resolve('azurite/package.json')), 'dist/src/blob/main.js')

/** Starts Azurite's blob service on a free port, its data in a folder of its own. */
export async function startAzurite(): Promise<Azurite> {
  const daemon = await startDaemon('azurite', (port, folder) => ({
    program: process.execPath,
    args: [PROGRAM, '--blobHost', '127.0.0.1', '--blobPort', `${port}`, '--location', folder, '--silent', '--disableTelemetry', '--skipApiVersionCheck'],
  }))
  return { ...daemon, url: `http://127.0.0.1:${daemon.port}`, key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==' }
}

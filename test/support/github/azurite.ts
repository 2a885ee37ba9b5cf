import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Azurite {
  url: string
  /** The key of the account that every Azurite has. */
  key: string
  stop(): Promise<void>
}

/** Starts Azurite's blob service on a free port, its data in a folder of its own. */
export async function startAzurite(): Promise<Azurite> {
  const folder = await mkdtemp(path.join(tmpdir(), 'azurite-'))
  const program = path.join(path.dirname(createRequire(import.meta.url).resolve('azurite/package.json')), 'dist/src/blob/main.js')
  const parameters = [program, '--blobHost', '127.0.0.1', '--blobPort', '0', '--location', folder, '--silent', '--disableTelemetry', '--skipApiVersionCheck']
  const child = spawn(process.execPath, parameters, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } })
  try {
    const url = await listening(child)
    return { url, key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==', stop: () => stop(child, folder) }
  } catch (error) {
    await stop(child, folder)
    throw error
  }
}

async function listening(child: ChildProcess): Promise<string> {
  let printed = ''
  for await (const piece of child.stdout!.iterator({ destroyOnReturn: false })) {
    printed += String(piece)
    const url = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(printed)?.[1]
    if (url) {
      child.stdout!.resume()
      return url
    }
  }
  throw new Error(`Azurite did not start: ${printed}`)
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  }
  await rm(folder, { recursive: true, force: true })
}

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'

export type Major = 14 | 15 | 16 | 17 | 18

const majors: Major[] = [14, 15, 16, 17, 18]
const checkout = path.join(import.meta.dirname, '../..')

/** The folder with pg_dump, pg_dumpall, pg_restore, psql of a major: the distribution's, else the one scripts/setup.sh made. */
export function clientDirectory(major: Major): string {
  const found = installed(major)
  if (found === undefined) throw new Error(`no PostgreSQL ${major} client programs: run "bash scripts/setup.sh test"`)
  return found
}

function installed(major: number): string | undefined {
  const folders = [`/usr/lib/postgresql/${major}/bin`, path.join(checkout, `.cache/postgresql-client-${major}/usr/lib/postgresql/${major}/bin`)]
  return folders.find((folder) => existsSync(path.join(folder, 'pg_restore')))
}

/** Client programs of the wanted major, or of the nearest newer one (which reads an older server), or of any. */
export function clientDirectoryFor(major: number): string {
  const found = [...majors.filter((m) => m >= major), ...majors.filter((m) => m < major).toReversed()].map(installed).find((f) => f !== undefined)
  if (found === undefined) throw new Error('no PostgreSQL client programs: run "bash scripts/setup.sh test"')
  return found
}

/** The newest major there are client programs of, those that came with the distribution first. */
export function installedMajor(): Major {
  const newest = majors.toReversed()
  const found = newest.find((major) => installed(major)?.startsWith('/usr/')) ?? newest.find((major) => installed(major) !== undefined)
  if (found === undefined) throw new Error('no PostgreSQL client programs of the majors 14 to 18 are installed')
  return found
}

/** Runs a program to its end and gives its standard output; an exit status other than 0 throws with what it printed on stderr. */
export function run(program: string, args: string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes))
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(out).toString())
      else reject(new Error(`${path.basename(program)} ended with ${signal ?? `status ${code}`}: ${Buffer.concat(err).toString().trim()}`))
    })
    // A program that ends without reading its input is judged by its exit status above.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}

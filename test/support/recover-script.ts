import { spawn, spawnSync } from 'node:child_process'
import path from 'node:path'

/** Nothing but the distribution's programs: no Node, nothing of node_modules. */
export const plainEnvironment = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', TMPDIR: process.env.TMPDIR ?? '/tmp' }

export interface Outcome {
  status: number | null
  stdout: Buffer
  stderr: string
}

/** Runs a store's own recover.sh. */
export function recover(store: string, args: string[], environment: NodeJS.ProcessEnv = plainEnvironment): Outcome {
  const result = spawnSync('/bin/sh', [path.join(store, 'recover.sh'), ...args], { env: environment, maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'pipe'] })
  if (result.error) throw result.error
  return { status: result.status, stdout: result.stdout, stderr: result.stderr.toString() }
}

/** The same on a terminal of its own (script, of util-linux), where age asks for the passphrase; `typed` answers each question. */
export function recoverOnTerminal(store: string, args: string[], typed: string): Promise<{ status: number | null; printed: string }> {
  const quoted = ['/bin/sh', path.join(store, 'recover.sh'), ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const child = spawn('script', ['-qec', quoted, '/dev/null'], { env: plainEnvironment, stdio: ['pipe', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    let printed = ''
    let answered = 0
    child.stdout.on('data', (bytes: Buffer) => {
      printed += bytes.toString()
      for (const asked = printed.split('Enter passphrase').length - 1; answered < asked; answered++) child.stdin.write(`${typed}\n`)
    })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, printed }))
  })
}

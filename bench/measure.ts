import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

/** The cost of one run of a program, from its start to its exit. */
export interface Measurement {
  seconds: number
  /** User and system time of the program and of all it started; the database server's is not in it. */
  cpuSeconds: number
  /** Largest resident size of any one process of it, in bytes: of Lifeboat's own, which is always the largest. */
  peakProcess: number
  /** The same of all its processes together, sampled every 20 ms. */
  peakTree: number
}

/** Runs a program with an empty standard input and its output thrown away. An exit status other than 0 throws with what it said. */
export async function measure(command: readonly string[], environment: NodeJS.ProcessEnv, folder: string): Promise<Measurement> {
  const figures = path.join(folder, 'time')
  const child = spawn('/usr/bin/time', ['-f', '%e %U %S %M', '-o', figures, ...command], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.on('data', (bytes: Buffer) => said.push(bytes))
  const said: Buffer[] = []
  child.stderr.on('data', (bytes: Buffer) => said.push(bytes))
  let peakTree = 0
  const sampling = setInterval(() => (peakTree = Math.max(peakTree, residentTree(child.pid!))), 20)
  const started = performance.now()
  await once(child, 'close')
  const seconds = (performance.now() - started) / 1000
  clearInterval(sampling)
  if (child.exitCode !== 0) throw new Error(`${command.join(' ')} ended with status ${child.exitCode}: ${Buffer.concat(said).toString().trim()}`)
  const [, user, system, kibibytes] = readFileSync(figures, 'utf8').trim().split(' ').map(Number)
  const peakProcess = kibibytes! * 1024
  return { seconds, cpuSeconds: user! + system!, peakProcess, peakTree: Math.max(peakTree, peakProcess) }
}

const pageSize = 4096

/** Bytes of memory of a process and its descendants. */
function residentTree(pid: number): number {
  try {
    const resident = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageSize
    const threads = readdirSync(`/proc/${pid}/task`)
    const children = threads.flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean))
    return children.reduce((sum, child) => sum + residentTree(Number(child)), resident)
  } catch (error) {
    // A process or thread that ended while we looked has no memory any more.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return 0
    throw error
  }
}

/** Bytes of all files in a folder. */
export function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0)
}

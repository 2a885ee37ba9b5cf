import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

/** The cost of one run of a program, from its start to its exit. */
export interface Measurement {
  seconds: number
  /** User and system time of the program and of all it started: also of a scratch server, but not of the server of a backup. */
  cpuSeconds: number
  /** Largest resident size of any one process of it, in bytes: of Lifeboat's own, unless it starts a scratch server. */
  peakProcess: number
  /** The same of the program itself, without those it started. */
  peakOwn: number
}

/** Runs a program with an empty standard input and its output thrown away. An exit status other than 0 throws with what it said. */
export async function measure(command: readonly string[], environment: NodeJS.ProcessEnv, folder: string): Promise<Measurement> {
  const figures = path.join(folder, 'time')
  const child = spawn('/usr/bin/time', ['-f', '%e %U %S %M', '-o', figures, ...command], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.on('data', (bytes: Buffer) => said.push(bytes))
  const said: Buffer[] = []
  child.stderr.on('data', (bytes: Buffer) => said.push(bytes))
  let peakOwn = 0
  const sampling = setInterval(() => {
    peakOwn = Math.max(peakOwn, ...childrenOf(child.pid!).map(peakOf))
  }, 20)
  const started = performance.now()
  await once(child, 'close')
  const seconds = (performance.now() - started) / 1000
  clearInterval(sampling)
  if (child.exitCode !== 0) throw new Error(`${command.join(' ')} ended with status ${child.exitCode}: ${Buffer.concat(said).toString().trim()}`)
  const [, user, system, kibibytes] = readFileSync(figures, 'utf8').trim().split(' ').map(Number)
  return { seconds, cpuSeconds: user! + system!, peakProcess: kibibytes! * 1024, peakOwn }
}

const ticksInSecond = 100

/** Bytes of the most memory that a process had. */
function peakOf(pid: number): number {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch (error) {
    return ofEnded(error, 0)
  }
}

/** Seconds of CPU time of a process, of those it waited for, and of those it has now. */
export function cpuOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 15).reduce((sum, one) => sum + Number(one), 0)
    return childrenOf(pid).reduce((sum, child) => sum + cpuOf(child), ticks / ticksInSecond)
  } catch (error) {
    return ofEnded(error, 0)
  }
}

function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
  } catch (error) {
    return ofEnded(error, [])
  }
}

/** A process or thread that ended while we looked has nothing any more. */
function ofEnded<T>(error: unknown, nothing: T): T {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return nothing
  throw error
}

/** Bytes of all files in a folder. */
export function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0)
}

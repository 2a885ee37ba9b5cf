import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { RUN_VARIABLE } from '../process/child.ts'
import { formatCount } from '../report/format.ts'
import { removeFolder, stagingFolder } from '../process/staging.ts'

const graceMs = 2000

/** The step after the job: ends what an action that was killed left running, and removes its staging. Silent when there is nothing. */
export async function runPost(): Promise<void> {
  const id = process.env['STATE_run']
  if (id === undefined || !/^[0-9a-f-]{36}$/.test(id)) return
  const stopped = await stopProcesses(`${RUN_VARIABLE}=${id}`)
  const staging = stagingFolder(process.env['RUNNER_TEMP'] || tmpdir(), id)
  const staged = existsSync(staging)
  removeFolder(staging)
  if (stopped > 0) {
    const [were, are] = stopped > 1 ? ['were', 'are'] : ['was', 'is']
    console.log(`Lifeboat had been killed: ${formatCount(stopped, 'process', 'processes')} of it ${were} still running and ${are} stopped`)
  }
  if (staged) console.log('Lifeboat had been killed: its temporary files are removed')
}

async function stopProcesses(mark: string): Promise<number> {
  const found = marked(mark)
  for (const pid of found) kill(pid, 'SIGTERM')
  await untilNone(mark, () => undefined)
  // Repeated, because one of them may have started another meanwhile.
  await untilNone(mark, (pid) => kill(pid, 'SIGKILL'))
  return found.length
}

async function untilNone(mark: string, each: (pid: number) => void): Promise<void> {
  const until = performance.now() + graceMs
  for (let left = marked(mark); left.length > 0 && performance.now() < until; left = marked(mark)) {
    left.forEach(each)
    await sleep(20)
  }
}

/** The processes whose environment has this; only Linux tells. */
function marked(mark: string): number[] {
  if (!existsSync('/proc/self/environ')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => environmentOf(pid).split('\0').includes(mark))
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return '' // It has ended meanwhile, or belongs to someone else.
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Guard {
  /** Tells it of a process that it is to end. */
  watch(pid: number): void
  /** Ends those processes and removes the folder. */
  end(): Promise<void>
}

// The bound is for a process that nobody reaps.
const SCRIPT = `
  pids=
  while read -r pid; do pids="$pids $pid"; done
  kill -s "$2" $pids
  for pid in $pids; do for _ in $(seq 250); do kill -0 "$pid" || break; sleep 0.02; done; done
  rm -rf "$1"`

/** A process that outlives this one: when its input ends, because we closed it or were killed, it sends the signal and removes the folder. */
export function startGuard(folder: string, signal: 'KILL' | 'QUIT'): Guard {
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'sh', folder, signal], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref()
  return {
    watch: (pid) => void guard.stdin.write(`${pid}\n`),
    end: async () => {
      guard.ref()
      const gone = guard.exitCode === null ? once(guard, 'exit') : undefined
      guard.stdin.end()
      await gone
    },
  }
}

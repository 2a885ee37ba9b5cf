import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { LifeboatError } from '../error.ts'

export interface FinalSteps {
  /** Docker containers to start, and to unpause. */
  start: readonly string[]
  unpause: readonly string[]
  /** A command for sh. */
  command: string
}

// It waits until descriptor 3 ends: Lifeboat has closed it, or is gone, even if it was killed. It prints only after all its work, since
// there may be no reader left by then.
const WATCH = String.raw`
trap '' HUP INT TERM PIPE
{
  cat <&3 >/dev/null
  failed=
  attempt() {
    said=$("$@" 2>&1 </dev/null 3<&-) && return
    # One that had not been paused yet.
    case $said in *'is not paused'*) return ;; esac
    failed="$failed$*: $said
"
  }
  for container in $LIFEBOAT_START; do attempt docker start "$container"; done
  for container in $LIFEBOAT_UNPAUSE; do attempt docker unpause "$container"; done
  if [ -n "$LIFEBOAT_COMMAND" ]; then
    said=$(sh -c 'eval "$LIFEBOAT_COMMAND"' 2>&1 </dev/null 3<&-) || failed="${'$'}{failed}post-command ended with exit status $?: $said
"
  fi
  printf '%s' "${'$'}{failed:-ok}"
} &
`

/**
 * Arranges the steps that follow the reading of the sources. A separate process, which is no child of this one, takes them when it is told
 * to, or when this process is gone, even if it was killed. The function returned tells it and waits; it throws if a step failed.
 */
export async function arrangeFinalSteps(
  { start, unpause, command }: FinalSteps,
  environment: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const watch = spawn('sh', ['-c', WATCH], {
    env: { ...environment, LIFEBOAT_START: start.join(' '), LIFEBOAT_UNPAUSE: unpause.join(' '), LIFEBOAT_COMMAND: command },
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  })
  const printed: Buffer[] = []
  watch.stdout!.on('data', (bytes: Buffer) => printed.push(bytes))
  const answered = once(watch.stdout!, 'close')
  // Its standard input would be closed when the shell ends that starts the other.
  const [rope] = watch.stdio.slice(3)
  if (!(rope instanceof Socket)) throw new Error('a pipe was asked for')
  const [status] = await once(watch, 'exit')
  if (status !== 0) throw new LifeboatError(`sh ended with exit status ${String(status)} before the work began`)
  let finishing: Promise<void> | undefined
  const finish = async (): Promise<void> => {
    rope.destroy()
    await answered
    const answer = Buffer.concat(printed).toString()
    if (answer === 'ok') return
    throw new LifeboatError(`the steps after reading failed: ${answer.trim().replaceAll(/:$/gm, '') || 'no answer'}`, {
      hint: start.length + unpause.length > 0 ? 'See whether the containers run: docker ps --all.' : 'Undo by hand what pre-command did.',
    })
  }
  return () => (finishing ??= finish())
}

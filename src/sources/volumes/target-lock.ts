import { LifeboatError } from '../../error.ts'
import { ChildError } from '../../process/child.ts'
import type { Site } from '../files/site.ts'
import { PATTERN } from './replacement.ts'
import { IN_TARGET, REFUSE } from './target.ts'

const NEVER = new AbortController().signal

/** flock ends with it if another has the lock. */
const BUSY = 75

/**
 * Takes the lock of the folder itself alone, and then shares it with the scripts of its own restore: one that outlives a killed restore
 * keeps it. The programs of a restore that was killed take a moment to end. $2: a pattern for the folders that restores work in.
 */
const LOCK = String.raw`
${REFUSE}${IN_TARGET}
state=unknown
if command -v flock >/dev/null && [ -r . ]; then
  exec 9<.
  status=0
  flock -w 3 -E ${BUSY} 9 2>/dev/null || status=$?
  [ "$status" != 0 ] || flock -n -s -E ${BUSY} 9 || status=$?
  case $status in 0) state=held ;; ${BUSY}) state=busy ;; esac
fi
if [ "$state" = unknown ] && [ -n "$(find . -mindepth 1 -maxdepth 1 -type d -name "$2" -mmin -10 -print -quit)" ]; then state=recent; fi
echo "$state"
[ "$state" != held ] || exec cat
`

/**
 * Holds the lock of a folder that is restored into, and gives its release. Throws (status 2) if another restore works there. Without flock,
 * or where the file system has no locks, only the time of its work shows another restore.
 */
export async function lockTarget(site: Site, signal: AbortSignal): Promise<() => Promise<void>> {
  signal.throwIfAborted()
  const child = site.start('sh', ['-euc', LOCK, 'sh', site.root, PATTERN], { signal: NEVER })
  const answers = Promise.withResolvers<string>()
  const reading = (async () => {
    let said = ''
    for await (const piece of child.stdout) {
      said += piece.toString()
      if (said.endsWith('\n')) answers.resolve(said.trim())
    }
    answers.resolve(said.trim())
  })()
  reading.catch(answers.reject)
  const release = async (): Promise<void> => {
    child.end()
    await reading.catch(() => undefined) // Its end is all that is waited for.
  }
  try {
    const state = await answers.promise
    signal.throwIfAborted()
    if (state === 'held' || state === 'unknown') return release
    throw new LifeboatError(
      state === 'busy' ? `another restore works in ${site.where}`
      : `another restore may work in ${site.where}: the folder that one works in there has changed within 10 minutes`,
      { hint: state === 'busy' ? 'Wait until it has ended.'
        : 'Wait until it has ended. With flock (package util-linux) restores know of each other.', status: 2 },
    )
  } catch (error) {
    await release()
    if (!(error instanceof ChildError)) throw error
    const said = error.exit.stderr.trim().split('\n').at(-1)
    throw new LifeboatError(`nothing can be restored into ${site.where}: ${said || error.message}`, { cause: error })
  }
}

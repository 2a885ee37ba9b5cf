import { randomBytes } from 'node:crypto'
import { ChildError } from '../child.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { Report } from '../report/report.ts'
import { displayName } from './file-list.ts'
import { output } from './output.ts'
import type { Place } from './place.ts'
import { metaOf, pathOf, type Scan } from './scan.ts'

/**
 * A restore in place of what is there works in a folder of its own at the top of the target, on the same file system. What it has in it tells how far
 * it has come, so that one that was killed can be cleared away, or brought to its end:
 *
 * - `new`: the backup is being extracted; all that was there before is in place.
 * - `whole`: it is extracted, and on the disk; what was there before moves to `old`.
 * - `in`: all of that is in `old`; the backup moves into its place.
 * - none of them: the backup is in place, and `old` can go.
 *
 * Each step is a rename, so that at any moment one of the two is whole. Where the folder itself is restored as well, `time` has the time it gets, and `top`, in
 * the end, all its other attributes.
 */
const NAME = '.lifeboat-restore-'
const WORK = /^\.lifeboat-restore-[0-9a-f]{8}$/
const PATTERN = `${NAME}${'[0-9a-f]'.repeat(8)}`

/** Those of its folders that say that the target is neither what was there before nor the backup. */
const UNFINISHED: readonly string[] = ['whole', 'in']

/**
 * The entries of a scan that are not of such folders, and the paths of these folders (latin1). Throws when one of them says that
 * things are being moved, or cannot be looked into: what the place has then is not a whole, or may be none.
 */
export function withoutWork({ entries, unreadable }: Pick<Scan, 'entries' | 'unreadable'>, place: Place): { entries: string[]; left: string[] } {
  if (!entries.some((entry) => entry.includes(NAME))) return { entries, left: [] }
  const left = new Set<string>()
  const kept = entries.filter((entry) => {
    const parts = pathOf(entry).split('/')
    const depth = parts.findIndex((part) => WORK.test(part)) + 1
    if (depth === 0 || (depth === parts.length && metaOf(entry).type !== 'd')) return true
    const work = parts.slice(0, depth).join('/')
    left.add(work)
    if (unreadable.has(entry)) {
      throw new LifeboatError(`how far a restore in mode clean has come in ${place.where} cannot be seen: ${displayName(work)} may not be read`, {
        hint: 'Wait for its end. If it was killed, restore once more, or back up as the same user or as root, who can see it.',
      })
    }
    if (depth + 1 === parts.length && UNFINISHED.includes(parts[depth]!)) {
      throw new LifeboatError(`${place.where} is in the middle of a restore in mode clean, and holds neither what was there before nor the backup as a whole: see ${displayName(work)}`, {
        hint: 'Wait for the end of the restore. If it was killed, restore in mode clean once more, which brings it to its end; or put things right by hand, and remove that folder.',
      })
    }
    return false
  })
  return { entries: kept, left: [...left] }
}

// They are made here, but an archive may have such a folder as well, from which a link would lead out of the target.
const NO_LINKS = 'for part in new whole in old top time; do if [ -L "$2/$part" ]; then echo "$2/$part is a symbolic link" >&2; exit 1; fi; done'

// A folder that may not be written cannot be moved but by root.
const MOVE = String.raw`
move() {
  from=$1 to=$2
  shift 2
  find "$from" -mindepth 1 -maxdepth 1 "$@" -type d ! -writable -exec sh -euc '
    for one; do
      mode=$(stat -c %a "$one")
      chmod u+w "$one"
      mv -t "$0" -- "$one"
      chmod "$mode" "$0/${'$'}{one##*/}"
    done' "$to" {} +
  find "$from" -mindepth 1 -maxdepth 1 "$@" -exec mv -t "$to" -- {} +
}
`

const BEGIN = String.raw`
case $(cp --version 2>&1 || :) in *'GNU coreutils'*) ;; *) echo 'there are no GNU coreutils, which mode clean needs' >&2; exit 1 ;; esac
cd "$1"
mkdir -m 700 "$2"
mkdir "$2/new"
`

// Of a part that is restored the folder itself is none.
const EXTRACTED = 'cd "$1"; sync -f "$2/new"; if [ "$3" = all ]; then touch -r "$2/new" "$2/time"; fi; mv -T "$2/new" "$2/whole"'

// lost+found belongs to a file system, not to what is in it.
const EXCHANGE = String.raw`
trap '' HUP INT TERM
cd "$1"
${NO_LINKS}
${MOVE}
if [ -d "$2/whole" ]; then
  mkdir -p "$2/old"
  if [ -e "$2/whole/lost+found" ]; then move . "$2/old" ! -name "$3"; else move . "$2/old" ! -name "$3" ! -name lost+found; fi
  mv -T "$2/whole" "$2/in"
fi
if [ -d "$2/in" ]; then
  mode=$(stat -c %a "$2/in")
  chmod u+w "$2/in"
  move "$2/in" .
  chmod "$mode" "$2/in"
  if [ -e "$2/time" ]; then mv -T "$2/in" "$2/top"; else rmdir "$2/in"; fi
fi
`

const REMOVE = String.raw`
remove() {
  rm -rf -- "$1" 2>/dev/null && return
  find "$1" -type d ! -perm -u=rwx -exec chmod u=rwx {} \; || :
  # A tar on another machine ends a moment after the connection to it.
  rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
}
`

// Who does not own the folder can change what is in it, but not its mode and time.
const CLEAR = String.raw`
cd "$1"
${NO_LINKS}
${REMOVE}
changed=
if [ -d "$2/top" ] && { [ -O . ] || [ "$(id -u)" = 0 ]; }; then
  mode=$(stat -c %a "$2/top")
  changed=$(stat -c %.9Y "$2/time")
  cp -a --attributes-only -T "$2/top" .
  chmod u+w .
fi
remove "$2"
if [ -n "$changed" ]; then
  chmod "$mode" .
  touch --date="@$changed" .
fi
`

// Not where all is moved already: that is no longer to be undone.
const UNDO = String.raw`
trap '' HUP INT TERM
cd "$1"
${MOVE}
${REMOVE}
[ -d "$2" ] || exit 0
[ ! -d "$2/in" ]
if [ -d "$2/whole" ]; then
  if [ -d "$2/old" ]; then move "$2/old" .; fi
  rm -f "$2/time"
  mv -T "$2/whole" "$2/new"
else
  [ ! -d "$2/old" ] || [ -d "$2/new" ]
fi
remove "$2"
`

const UNDO_MS = 5000

export interface Replacing {
  /** Whether the folder itself is restored as well: its mode, its owners, its time. */
  all: boolean
  signal: AbortSignal
  report: Report
}

/** Puts what `extract` extracts into the folder it is given in place of what is in the volume's. Throws, with all as it was, when that fails. */
export async function replaceContent<T>(place: Place, { all, signal, report }: Replacing, extract: (folder: string) => Promise<T>): Promise<T> {
  const work = `${NAME}${randomBytes(4).toString('hex')}`
  let outcome: T
  try {
    await run(place, BEGIN, [work], signal)
    outcome = await extract(`${place.root}/${work}/new`)
    await run(place, EXTRACTED, [work, all ? 'all' : 'part'], signal)
    // Renames alone; to stop in the middle of them helps nobody.
    await run(place, EXCHANGE, [work, PATTERN], NEVER)
  } catch (error) {
    try {
      await run(place, UNDO, [work], AbortSignal.timeout(UNDO_MS))
    } catch {
      // The first error tells why; often there is no way to the place any more.
      report.warning(`${place.where} may still have what was extracted so far, in ${work}`, 'Restore again in mode clean: that removes it, or, where some of it is in place already, puts the rest there first.')
    }
    throw error
  }
  try {
    await run(place, CLEAR, [work], signal)
  } catch (error) {
    report.warning(`${place.where} is restored, but not all of what was there before is removed: ${messageOf(error)}`, `Remove ${work}, or restore again in mode clean.`)
    signal.throwIfAborted()
  }
  return outcome
}

/**
 * Clears away what restores in place of something left when they were killed. One that had begun to move things is brought to its end if `finish`,
 * and is an error otherwise, for that removes what was there before.
 */
export async function clearKilled(place: Place, { finish, signal, report }: { finish: boolean; signal: AbortSignal; report: Report }): Promise<void> {
  const works = await output(place, 'find', ['-H', place.root, '-mindepth', '1', '-maxdepth', '1', '-type', 'd', '-name', PATTERN, '-printf', String.raw`%f %U\n`], signal)
  for (const line of works.split('\n')) {
    const [work, owner] = line.split(' ')
    if (work === undefined || !WORK.test(work)) continue
    if (owner !== (await output(place, 'id', ['-u'], signal)).trim()) {
      throw new LifeboatError(`${place.where} has ${work}, which a restore of another user left, or somebody else made`, {
        hint: `Restore as the user with the number ${owner}, or put things right by hand, and remove that folder.`,
        status: 2,
      })
    }
    const state = (await output(place, 'find', [`${place.root}/${work}`, '-mindepth', '1', '-maxdepth', '1', '-printf', String.raw`%f\n`], signal)).split('\n')
    const unfinished = UNFINISHED.some((name) => state.includes(name))
    if (unfinished && !finish) {
      throw new LifeboatError(`${place.where} is neither the backup nor what was there before: a restore in mode clean was killed in the middle of it`, {
        hint: `Restore in mode clean, which brings it to its end first. What was there before is in ${work}/old, or has not been moved yet.`,
        status: 2,
      })
    }
    if (unfinished) await run(place, EXCHANGE, [work, PATTERN], NEVER)
    await run(place, CLEAR, [work], signal)
    report.info(`${place.where}: ${unfinished ? 'a restore that was killed is brought to its end' : 'what a restore left that was killed is removed'}`)
  }
}

const NEVER = new AbortController().signal

/** The script gets the volume's folder as $1, and what is `given` from $2 on. */
async function run(place: Place, script: string, given: readonly string[], signal: AbortSignal): Promise<string> {
  try {
    return await output(place, 'sh', ['-euc', script, 'sh', place.root, ...given], signal)
  } catch (cause) {
    if (!(cause instanceof ChildError)) throw cause
    const said = cause.exit.stderr.trim().split('\n').at(-1)
    throw new LifeboatError(`the content of ${place.where} could not be replaced: ${said || cause.message}`, { cause })
  }
}

import { ChildError } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { output } from './output.ts'
import type { Site } from '../files/site.ts'

/** A function of these scripts: prints the reason, and ends the script. */
export const REFUSE = 'refuse() { echo "$1" >&2; exit 1; }\n'

/**
 * Goes into the folder whose real path is $1, and into no other: a symbolic link that someone has put on the path since is noticed. From
 * then on a script holds the folder itself, even if its path changes.
 */
export const IN_TARGET = String.raw`
cd -P -- "$1"
[ "$(pwd -P; echo .)" = "$1
." ] || refuse "a symbolic link has replaced a part of the path to $1"
`

// Every folder on the way to a target, one after the other, made if it is missing; with $2 look nothing is made, and the last folder that
// is there is the answer, after a word. Root follows a symbolic link only if no other user can
// change it: the folder it lies in is root's alone, or sticky and the link root's. After each step, `..` has to be the folder before: no
// link was followed.
const WALK = String.raw`
${REFUSE}
found() {
  if [ "${'$'}{2-}" = look ]; then printf '%s ' "$1"; fi
  pwd -P
  exit
}
if [ "$(id -u)" != 0 ]; then
  at=$1 state=found
  if [ "${'$'}{2-}" = look ]; then
    while [ ! -e "$at" ] && [ ! -L "$at" ]; do state=missing at=$(dirname -- "$at"; echo .) at=${'$'}{at%??}; done
  else mkdir -p -- "$1"; fi
  cd -P -- "$at"
  found "$state" "${'$'}{2-}"
fi
trusted() {
  case $(stat -c %u:%a .) in
    0:*[2367]? | 0:*[2367]) [ -k . ] && [ "$(stat -c %u "./$1")" = 0 ] ;;
    0:*) ;;
    *) return 1 ;;
  esac
}
case $1 in /*) cd / ;; esac
rest=$1/ links=0
while [ -n "$rest" ]; do
  name=${'$'}{rest%%/*} rest=${'$'}{rest#*/}
  case $name in '' | .) continue ;; ..) cd -P ..; continue ;; esac
  if [ -L "./$name" ]; then
    trusted "$name" || refuse "$(pwd -P)/$name is a symbolic link that another user can change"
    links=$((links + 1))
    [ "$links" -le 40 ] || refuse 'there are too many symbolic links on the way'
    link=$(readlink -- "./$name"; echo .)
    rest=${'$'}{link%??}/$rest
    case $link in /*) cd / ;; esac
  else
    if [ "${'$'}{2-}" = look ] && [ ! -e "./$name" ]; then found missing look; fi
    [ -d "./$name" ] || mkdir -- "./$name"
    here=$(stat -c %d:%i .)
    cd -P -- "./$name"
    [ "$(stat -c %d:%i ..)" = "$here" ] || refuse "$name on the way to $1 was replaced while it was looked at"
  fi
done
found found "${'$'}{2-}"
`

/**
 * The real path of a folder to restore into, which is made if there is none. As root, no link is followed that another user can change.
 */
export async function targetFolder(given: string, site: Pick<Site, 'where' | 'start'>, signal: AbortSignal): Promise<string> {
  return (await walk([given], site, signal)).slice(0, -1)
}

/** The same, of a folder that is not made. If it is `missing`, `root` is the last folder on the way to it that is there. */
export async function lookAtFolder(
  given: string, site: Pick<Site, 'where' | 'start'>, signal: AbortSignal,
): Promise<{ root: string; missing: boolean }> {
  const said = (await walk([given, 'look'], site, signal)).slice(0, -1)
  const end = said.indexOf(' ')
  return { root: said.slice(end + 1), missing: said.slice(0, end) === 'missing' }
}

async function walk(given: [string, ...string[]], { where, start }: Pick<Site, 'where' | 'start'>, signal: AbortSignal): Promise<string> {
  try {
    return await output({ where, root: given[0], start }, 'sh', ['-euc', WALK, 'sh', ...given], signal)
  } catch (cause) {
    if (!(cause instanceof ChildError)) throw cause
    const said = cause.exit.stderr.trim().split('\n').at(-1)
    const hint = /symbolic link|replaced/.test(said ?? '')
      ? 'That user could redirect the files anywhere. Give the path of the folder itself, without links, or restore as that user.'
      : 'Check the path, that this user may write there, and that sh and the GNU coreutils are installed.'
    throw new LifeboatError(`nothing can be restored into ${where}: ${said || cause.message}`, { cause, hint })
  }
}

/**
 * The paths (latin1) of the folders in the target, itself among them as the empty text, in which users other than root can make or move
 * entries.
 */
export async function* foldersOfOthers(site: Site, signal: AbortSignal): AsyncGenerator<{ path: string; owner: string }, void, void> {
  const child = site.start('sh', ['-euc', `${REFUSE}${IN_TARGET}${FIND_FOLDERS}`, 'sh', site.root], { signal })
  child.end()
  let rest = ''
  for await (const bytes of child.stdout) {
    const found = (rest + bytes.toString('latin1')).split('\0')
    rest = found.pop()!
    for (const line of found) yield { owner: line.slice(0, line.indexOf(' ')), path: line.slice(line.indexOf(' ') + 1) }
  }
}

const FIND_FOLDERS = String.raw`exec find . -type d '(' ! -uid 0 -o -perm /022 ')' -printf '%U %P\0'`

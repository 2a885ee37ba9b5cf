import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** Another user of the machine: `nobody`, who may do only what its number allows. */
export const OTHER = 65534
export const asOther: readonly string[] = ['setpriv', `--reuid=${OTHER}`, `--regid=${OTHER}`, '--clear-groups']

/**
 * Puts a symbolic link to `$outside` in place of every folder that this user can rename, in `$target` and of it; of a folder that a restore works in also
 * one of its own with such links in it.
 */
const SWAP = String.raw`
swap() {
  for one in "$1"/* "$1"/.[!.]*; do
    case $one in *.moved) continue ;; esac
    [ -d "$one" ] && [ ! -L "$one" ] || continue
    (swap "$one")
    mv -T "$one" "$one.$$.moved" 2>/dev/null || continue
    case $kind:$one in
      own:*.lifeboat-restore-*) mkdir "$one"; for name in new whole in old top; do ln -s "$outside" "$one/$name"; done ;;
      *) ln -s "$outside" "$one" ;;
    esac
  done
}
if [ "$kind" = target ]; then
  mv -T "$target" "$target.moved" 2>/dev/null && ln -s "$outside" "$target"
else
  swap "$target"
fi
exit 0
`

export interface Attack {
  target: string
  outside: string
  /** Links in place of folders; in the folder a restore works in; in place of the target. */
  kind: 'links' | 'own' | 'target'
}

/** Swaps what can be swapped, once, as the other user. */
export function swap({ target, outside, kind }: Attack): void {
  execFileSync('setpriv', [...asOther.slice(1), 'sh', '-c', SWAP], { env: { PATH: process.env['PATH'], target, outside, kind }, cwd: '/' })
}

// Each program of a restore first counts itself; the one with the number has the other user act before it starts.
const PROGRAM = String.raw`#!/bin/sh
here=${'$'}{0%/*} name=${'$'}{0##*/}
PATH=REAL
read -r left < "$here/left"
echo "$((left - 1))" > "$here/left"
if [ "$left" -eq 0 ]; then (cd / && AS sh "$here/swap"); fi
exec "$name" "$@"
`

/** A PATH on which the program number `after` of a restore starts only once the other user has acted; `acted` tells whether it came to that. */
export function actingBefore(after: number, here: string, { target, outside, kind }: Attack): { path: string; acted: () => boolean } {
  mkdirSync(here)
  chmodSync(here, 0o755)
  const quoted = Object.entries({ target, outside, kind }).map(([name, value]) => `${name}='${value}'\n`)
  writeFileSync(path.join(here, 'swap'), `${quoted.join('')}: > '${here}/acted/yes'\n${SWAP}`)
  mkdirSync(path.join(here, 'acted'))
  chmodSync(path.join(here, 'acted'), 0o777)
  writeFileSync(path.join(here, 'run'), PROGRAM.replace('REAL', `'${process.env['PATH']}'`).replace('AS', asOther.join(' ')), { mode: 0o755 })
  writeFileSync(path.join(here, 'left'), `${after}\n`)
  for (const program of ['tar', 'mv', 'rm', 'rmdir', 'find', 'mkdir', 'sync', 'touch', 'cp', 'stat', 'chmod', 'id', 'df']) symlinkSync('run', path.join(here, program))
  return { path: `${here}:${process.env['PATH']}`, acted: () => existsSync(path.join(here, 'acted/yes')) }
}

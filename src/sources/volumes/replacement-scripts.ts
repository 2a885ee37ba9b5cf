import { IN_TARGET, REFUSE } from './target.ts'

/*
 * Scripts for sh. Each gets the real path of the target as $1 and the name of the folder it works in, which lies in the target, as $2. It
 * goes into that folder first, and names everything from there: the target is `..`. Another user who may write in the target can give that
 * folder another name, but can neither enter it nor move it out of the target. So no name that a program of these scripts is given leads
 * through a folder that others can change, and the last part of a name is not followed by rename(2).
 */

/** Part of the message if other users may write in the folder to work in. */
export const NOT_ALONE = "is not root's alone"

/** Goes into the folder to work in, and checks that it is in the target, and root's alone if this is root. */
const IN_WORK = String.raw`
top=$(stat -c %d:%i .)
cd -P -- "./$2"
found=$(stat -c '%d:%i %a' .. .)
case $found in "$top "*) ;; *) refuse "$2 was replaced by another user" ;; esac
case ${'$'}{found##* } in *[2367]? | *[2367]) others=yes ;; *) others= ;; esac
if [ -n "$others" ] || [ ! -O . ]; then
  [ "$(id -u)" != 0 ] || refuse "$2 ${NOT_ALONE}: another user has replaced it, or the file system of $1 keeps no owners and modes"
fi
`

/** As long as a script runs, no other restore begins in the target (target-lock.ts), even if the restore that started it was killed. */
const SHARE = 'if command -v flock >/dev/null && [ -r .. ]; then exec 9<..; flock -n -s 9 2>/dev/null || :; fi\n'

const HOLD = `${REFUSE}${IN_TARGET}${IN_WORK}${SHARE}`

// These folders are made here, but an archive may have such a folder too, and a link in it would lead out of the target.
const NO_LINKS = 'for part in new whole in old top time; do [ ! -L "$part" ] || refuse "$2/$part is a symbolic link"; done'

// Only root can move a folder that may not be written.
const MOVE = String.raw`
move() {
  from=$1 to=$2
  shift 2
  [ "$(id -u)" = 0 ] || find "$from" -mindepth 1 -maxdepth 1 "$@" -type d ! -writable -exec sh -euc '
    for one; do
      mode=$(stat -c %a "$one")
      chmod u+w "$one"
      mv -t "$0" -- "$one"
      chmod "$mode" "$0/${'$'}{one##*/}"
    done' "$to" {} +
  find "$from" -mindepth 1 -maxdepth 1 "$@" -exec mv -t "$to" -- {} +
}
`

// The time and the attributes of the target go last. Root can remove everything without changing modes, and chmod would follow a link.
const REMOVE = String.raw`
content() { find . -mindepth 1 -maxdepth 1 "$@" -exec rm -rf -- {} +; }
remove() {
  content ! -name top ! -name time 2>/dev/null && content && return
  [ "$(id -u)" = 0 ] || find . -type d ! -perm -u=rwx -exec chmod u=rwx {} \; || :
  # A tar on another machine ends a moment after the connection to it.
  content || { sleep 1; content; }
}
`

export const BEGIN = String.raw`
${REFUSE}
case $(cp --version 2>&1 || :) in *'GNU coreutils'*) ;; *) refuse 'there are no GNU coreutils, which all modes but overwrite need' ;; esac
${IN_TARGET}
(umask 077; mkdir -- "./$2")
work=$2
trap '[ "$?" = 0 ] || { cd -P .. && rmdir -- "./$work"; } 2>/dev/null || :' EXIT
${IN_WORK}
mkdir new
`

/** Starts tar, with the arguments from $3 on, in `new`. Prints a line just before, so that its absence means that tar was not started. */
export const EXTRACT = `${HOLD}cd -P ./new; shift 2; echo started; exec tar "$@"`

/** The same in the target itself, with the arguments from $2 on. */
export const EXTRACT_OVER = `${REFUSE}${IN_TARGET}shift; echo started; exec tar "$@"`

/**
 * $3 `all`: the folder itself is restored as well. $4 `empty`: needs no sync, because nothing is lost with data that is not on the disk
 * yet.
 */
export const EXTRACTED = String.raw`
${HOLD}
[ "$4" = empty ] || sync -f new
if [ "$3" = all ]; then touch -r new time; fi
mv -T new whole
`

/**
 * $3: a pattern for the names of such folders. $4 `empty`: nothing may be in the target. lost+found belongs to the file system, not to its
 * content.
 */
export const EXCHANGE = String.raw`
trap '' HUP INT TERM
${HOLD}
${NO_LINKS}
${MOVE}
if [ -d whole ]; then
  mkdir -p old
  if [ "$4" = empty ]; then
    [ ! -d whole/lost+found ] || [ ! -d ../lost+found ] || rmdir ../lost+found
    found=$(find .. -mindepth 1 -maxdepth 1 ! -name "$3" ! -name lost+found -print -quit)
    [ -z "$found" ] || refuse 'somebody has put files there meanwhile'
  elif [ -e whole/lost+found ]; then
    move .. old ! -name "$3"
  else
    move .. old ! -name "$3" ! -name lost+found
  fi
  mv -T whole in
fi
if [ -d in ]; then
  mode=$(stat -c %a in)
  chmod u+w in
  move in ..
  chmod "$mode" in
  if [ -e time ]; then mv -T in top; else rmdir in; fi
fi
`

/** A user who does not own the target can change its content, but not its mode and time. */
export const CLEAR = String.raw`
${HOLD}
${NO_LINKS}
${REMOVE}
changed=
if [ -d top ] && [ -e time ] && { [ -O .. ] || [ "$(id -u)" = 0 ]; }; then
  mode=$(stat -c %a top)
  changed=$(stat -c %.9Y time)
  cp -a --attributes-only -T top ..
  chmod u+w ..
fi
remove
cd -P ..
rmdir -- "./$2"
if [ -n "$changed" ]; then
  chmod "$mode" .
  touch --date="@$changed" .
fi
`

/** Does nothing if everything is moved already, because that can no longer be undone. */
export const UNDO = String.raw`
trap '' HUP INT TERM
[ -d "$1/$2" ] || exit 0
${HOLD}
${MOVE}
${REMOVE}
[ ! -d in ]
if [ -d whole ]; then
  if [ -d old ]; then move old ..; fi
  rm -f time
  mv -T whole new
else
  [ ! -d old ] || [ -d new ]
fi
remove
cd -P ..
rmdir -- "./$2"
`

import { LifeboatError } from '../../error.ts'
import { feed } from '../../process/child.ts'
import { decodeFiles, shownName } from '../files/file-list.ts'
import type { Site } from '../files/site.ts'
import { terminated } from '../files/terminated.ts'

/** Names in the message. */
const MOST = 5
/** The bytes of no path are more. */
const MOST_PATH = 64 * 1024

/**
 * Throws if the target has something else in the place of a folder of the backup, or a folder in the place of something else. tar would
 * replace a link to a folder by a folder: the files that the link leads to could no longer be reached, and a restore over that folder would
 * not bring the link back.
 * `list`: the list of files; `wanted`: paths of the files to restore, all if undefined.
 */
export async function refuseOtherKinds(
  site: Site, list: () => AsyncIterable<Buffer>, wanted: ReadonlySet<string> | undefined, signal: AbortSignal,
): Promise<void> {
  const child = site.start('xargs', ['-0', 'sh', '-euc', OTHERS, site.root], { signal })
  const feeding = feed(child, terminated(wantedEntries(list, wanted)))
  feeding.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  const others: string[] = []
  let rest = ''
  try {
    for await (const piece of child.stdout) {
      const found = (rest + piece.toString('latin1')).split('\0')
      rest = found.pop()!
      if (rest.length > MOST_PATH) throw new LifeboatError(`sh printed a path of more than ${MOST_PATH} bytes for ${site.where}`)
      others.push(...found.slice(0, MOST - others.length))
    }
  } finally {
    await feeding // Throws why the list could not be read.
  }
  if (others.length === 0) return
  const told = others.map((other) => `${shownName(other.slice(2))} is ${KINDS[other[0]!]!}, in the backup ${KINDS[other[1]!]!}`)
  throw new LifeboatError(
    `mode overwrite replaces no folder by something else, and nothing else by a folder: in ${site.where}, ${told.join('; ')}`, {
      hint: 'Move it to another place first, or restore into a new folder and copy from there.', status: 2 })
}

/** By the letters of OTHERS, and of the list. */
const KINDS: Readonly<Record<string, string>> = {
  d: 'a folder', l: 'a symbolic link', f: 'a file', h: 'a file', p: 'a pipe', o: 'a pipe, a socket or a device',
}

/** The type and the path of each. */
async function* wantedEntries(
  list: () => AsyncIterable<Buffer>, wanted: ReadonlySet<string> | undefined,
): AsyncGenerator<string, void, void> {
  for await (const { type, path } of decodeFiles(list())) if (path !== '' && (!wanted || wanted.has(path))) yield `${type}${path}`
}

/** Prints those that are of another kind in the folder $0, after a letter for that kind. */
const OTHERS = String.raw`
cd -P -- "$0"
for entry; do
  at=./${'$'}{entry#?}
  if [ -L "$at" ]; then is=l; elif [ -d "$at" ]; then is=d; elif [ -f "$at" ]; then is=f; elif [ -e "$at" ]; then is=o
  else continue; fi
  case $is$entry in dd*) ;; d* | ?d*) printf '%s\0' "$is$entry" ;; esac
done
`

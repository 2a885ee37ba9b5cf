import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { decodeFiles } from '../files/file-list.ts'
import type { Site } from '../files/site.ts'
import { output } from './output.ts'

/** The numbers of the user and of its groups, and the capabilities of a process there (Linux, proc(5)). */
const WHO = 'id -u; id -G; grep -s ^CapEff: /proc/self/status || :'

/**
 * Throws if the user who restores cannot give the files the numbers of their owners: tar would restore all of them and report an error for
 * each. `list`: the list of files; `wanted`: paths of the files to restore, all if undefined.
 */
export async function requireOwners(
  site: Site,
  list: () => AsyncIterable<Buffer>,
  wanted: ReadonlySet<string> | undefined,
  signal: AbortSignal,
): Promise<void> {
  const [user = '', groups = '', capabilities = ''] = (await output(site, 'sh', ['-euc', WHO], signal)).split('\n')
  // CAP_CHOWN is the lowest bit of the capabilities.
  if (user.trim() === '0' || /[13579bdf]\s*$/i.test(capabilities)) return
  const own = { user: Number(user), groups: new Set(groups.trim().split(' ').map(Number)) }
  for await (const { uid, gid, path } of decodeFiles(list())) {
    if ((wanted && !wanted.has(path)) || (uid === own.user && own.groups.has(gid))) continue
    const owner = uid === own.user ? `the group with the number ${gid}` : `the user with the number ${uid}`
    throw new LifeboatError(`files of the backup belong to ${owner}: only root can restore that, and nothing was restored`, {
      hint: marked`Restore with ‹owners: none›, and the files belong to the user who restores; or restore as root.`,
      status: 2,
    })
  }
}

import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { localSite, type Site } from '../files/site.ts'

/** A folder of this machine, by its real path: the given path may be a symbolic link. */
export async function reachDirectory(given: string, variables: Variables): Promise<Site> {
  let root: string | undefined
  try {
    root = await realpath(path.resolve(given))
    if (!(await stat(root)).isDirectory()) throw new Error('it is not a folder')
  } catch (cause) {
    throw new LifeboatError(`${given} cannot be backed up: ${messageOf(cause)}`, {
      cause,
      hint: root === undefined
        ? 'Check the spelling of the path, and whether the disk is mounted.'
        : marked`Give the folder that it is in, and the name of the file as ‹include›.`,
    })
  }
  return localSite(root, variables)
}

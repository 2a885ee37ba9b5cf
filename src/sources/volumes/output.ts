import { ChildError, collectBytes, TooMuchOutput } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import type { Site } from '../files/site.ts'

/** A limit on output that is read whole, because the machine it comes from may be hostile. */
const MOST_OUTPUT = 1024 * 1024

/** The output of a program at a site. Throws ChildError, and LifeboatError if it is more than a mebibyte. */
export async function output(site: Site, program: string, parameters: readonly string[], signal: AbortSignal): Promise<string> {
  const child = site.start(program, parameters, { signal })
  child.end()
  try {
    return (await collectBytes(child, MOST_OUTPUT)).toString()
  } catch (cause) {
    if (!(cause instanceof TooMuchOutput)) throw cause
    throw new LifeboatError(`${program} printed more than a mebibyte for ${site.where}`, {
      cause,
      hint: 'No answer should be that long. Check that machine, and the file that was read.',
    })
  }
}

export async function isRoot(site: Site, signal: AbortSignal): Promise<boolean> {
  return (await output(site, 'id', ['-u'], signal)).trim() === '0'
}

/** Throws unless the site has GNU tar. */
export async function requireTar(site: Site, signal: AbortSignal): Promise<void> {
  const hint = 'Volumes are read and written with GNU tar and GNU find (packages tar and findutils).'
  let version: string
  try {
    version = await output(site, 'tar', ['--version'], signal)
  } catch (cause) {
    signal.throwIfAborted()
    if (!(cause instanceof ChildError)) throw cause
    const said = cause.exit.stderr.trim().split('\n').at(-1)
    throw new LifeboatError(`there is no GNU tar for ${site.where}${said ? `: ${said}` : ''}`, { cause, hint })
  }
  if (version.startsWith('tar (GNU tar)')) return
  if (version.includes('tar (GNU tar)')) {
    throw new LifeboatError(`programs for ${site.where} print more than their own output: ${version.split('\n')[0]}`, {
      hint: 'The start-up files of the account there (.bashrc) must print nothing.',
    })
  }
  throw new LifeboatError(`the tar for ${site.where} is not GNU tar: ${version.split('\n')[0]}`, { hint })
}

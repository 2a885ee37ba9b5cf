import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseEnv } from 'node:util'
import { runApt } from './apt.ts'
import type { Places, ProvideOptions } from './options.ts'

/** The system that packages must fit. */
export interface System {
  /** By dpkg's name: `amd64`. */
  architecture: string
  /** `debian-12-amd64` */
  id: string
  /** The distribution's release, which the project's archive has a suite for. */
  codename: string | undefined
}

export async function systemOf(places: Places, { variables, signal }: Pick<ProvideOptions, 'variables' | 'signal'>): Promise<System> {
  const release = parseEnv(await readFile(places.osRelease, 'utf8'))
  const { ID = 'linux', VERSION_ID, VERSION_CODENAME, UBUNTU_CODENAME, DEBIAN_CODENAME } = release
  const dpkg = { folder: '', environment: { PATH: variables.PATH ?? '' }, signal, timeLimit: places.timeLimit }
  const architecture = (await runApt(dpkg, 'dpkg', ['--print-architecture'])).trim()
  const id = `${ID}-${VERSION_ID ?? VERSION_CODENAME ?? 'rolling'}-${architecture}`
  return { architecture, id, codename: UBUNTU_CODENAME ?? DEBIAN_CODENAME ?? VERSION_CODENAME }
}

export function onPath(program: string, variables: ProvideOptions['variables']): boolean {
  return (variables.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK)
      return path.isAbsolute(folder)
    } catch {
      return false // Not in this folder.
    }
  })
}

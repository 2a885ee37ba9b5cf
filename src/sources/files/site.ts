import type { Variables } from '../../environment.ts'
import { type Child, startChild } from '../../process/child.ts'

/** The location of a volume, and how programs are started there: this machine, a container, another machine. */
export interface Site {
  /** For people: `/srv/files`, `docker:files`, `ssh://app@web.example/srv/files`. */
  readonly where: string
  /** The path of the volume's folder there. */
  readonly root: string
  /** Set if its programs can write only to the volume. */
  readonly isolated?: true
  /** Set if it is in the folder for temporary files of this machine. */
  readonly temporary?: true
  /** Starts GNU tar, find, or another program there. */
  start(program: string, parameters: readonly string[], options: { signal: AbortSignal }): Child
}

/** Their messages are parsed: in English, and with names of files as bytes. */
export const PLAIN = { LC_ALL: 'C', TZ: 'UTC' }

/** Bytes of the messages of tar about single files; older ones are dropped, which is then an error. */
export const STDERR_LIMIT = 8 * 1024 * 1024

/** A folder of this machine. `prefix` is a program with its arguments that starts the others. */
export function localSite(root: string, variables: Variables, prefix: readonly string[] = []): Site {
  const environment = {
    PATH: variables['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    ...(variables['HOME'] !== undefined && { HOME: variables['HOME'] }),
    ...PLAIN,
  }
  return {
    where: root,
    root,
    start: (program, parameters, { signal }) => {
      const [first, ...rest] = [...prefix, program, ...parameters]
      return startChild(first!, rest, { environment, signal, stderrLimit: STDERR_LIMIT })
    },
  }
}

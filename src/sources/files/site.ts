import { type Child, startChild } from '../../process/child.ts'

/** Where a volume lies, and how programs are started there: this machine, a container, another machine. */
export interface Site {
  /** As people know it: `/srv/files`, `docker:files`, `ssh://app@web.example/srv/files`. */
  readonly where: string
  /** The volume's folder, as programs there know it. */
  readonly root: string
  /** Whether its programs can write nothing but the volume. */
  readonly isolated?: true
  /** Starts GNU tar, find, or another program of the place. */
  start(program: string, parameters: readonly string[], options: { signal: AbortSignal }): Child
}

type Variables = Readonly<Record<string, string | undefined>>

/** What they say is read: in English, and in bytes, whatever the names of files are made of. */
export const PLAIN = { LC_ALL: 'C', TZ: 'UTC' }

/** Whatever a segment's tar may have to say about single files; what is older is dropped, and then not understood. */
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

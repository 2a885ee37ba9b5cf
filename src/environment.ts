import type { Writable } from 'node:stream'

/** The environment of a command; nothing below `actions` and `cli` reads `process.env` or exits. */
export interface Environment {
  /** Environment variables: `PATH`, `PG*`, `RUNNER_TOOL_CACHE`. */
  readonly variables: Variables
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly report: Report
  /** A folder for staging, private to this run. Made on first use, removed by the entry in every case. */
  readonly temporary: string
  now(): Date
  /** Standard output, for commands that write data to it. Absent where something else is printed there. */
  readonly output?: Writable
  /** Asks the person at the terminal. Absent where nobody is there to answer. */
  readonly ask?: Ask
  /** Tells what the run leaves behind if a signal ends it from now on, and what to do then. Absent: nobody is told. */
  readonly leaves?: Leaves
  /** Whether lifeboat.yml in the working directory is read without being named. */
  readonly findsConfiguration?: boolean
  /** Where the inputs of the command come from. Absent where nobody has looked. */
  readonly configuration?: Configuration
  /** The workflow run this happens in, kept in the snapshot. */
  readonly run?: { repository: string; workflow: string; id: string; attempt: string; url: string }
}

/**
 * Asks a question, and gives the line that is typed; empty if there is none. `hidden`: the line is not shown. `vanishing`: question and
 * line are gone from the screen afterwards. `several`: lines that are pasted together are one answer. The question may show a secret: it
 * does not go through the report.
 */
export type Ask = (question: string, how?: { hidden?: boolean; vanishing?: boolean; several?: boolean }) => Promise<string>

/** The configuration file of a run, and where each input of the command comes from. */
export interface Configuration {
  readonly origins: readonly InputOrigin[]
  readonly file?: ConfigurationFile
}

export interface InputOrigin {
  readonly name: string
  /** `input`, `default`, a variable, or a line of the file. */
  readonly from: string
  /** Absent for a secret; a part that is one is replaced by `***`. */
  readonly value?: string
}

export interface ConfigurationFile {
  readonly path: string
  readonly inputs: readonly ConfiguredInput[]
  readonly variables: readonly { name: string; set: boolean; lines: number[] }[]
  readonly problems: readonly FilePlaceMessage[]
  readonly warnings: readonly FilePlaceMessage[]
}

/** A fault of a file. Lines and columns begin with 1; the message has no full stop, and quotes nothing that may be a secret. */
export interface FilePlaceMessage {
  readonly line: number
  readonly column: number
  readonly message: string
}

/** A value of the file. */
export interface ConfiguredInput {
  readonly name: string
  readonly line: number
  /** The commands that get it. */
  readonly commands: readonly string[]
  /** Of several values: those of the commands that get only the first. */
  readonly firstOnly?: readonly string[]
  /** As it is written; absent for a secret. A part that is one is replaced by `***`. */
  readonly value?: string
  /** Of a map: the names in it. */
  readonly names?: readonly string[]
}

/** `state`: read after "interrupted: ". */
export type Leaves = (state: string, hint?: string) => void

/** Environment variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>

/** Where a command tells people what it does. Implementations: a terminal, a workflow log, silence in tests. */
export interface Report {
  /** Something worth a line of its own. */
  info(message: string): void
  /** A line for those who asked for more than usual. Absent: nobody did. */
  detail?(message: string): void
  /** Something the user should act on; an annotation in a workflow. */
  warning(message: string, hint?: string): void
  /** How far the running activity is; called often, shown at the implementation's own pace. */
  progress(progress: Progress): void
  /** A secret learnt on the way (a password out of a URL): never printed from now on. */
  mask(secret: string): void
  /** A text without the secrets known by now, for output that does not go through the report. The entries that print reports provide it. */
  redacted?(text: string): string
  /** Whether a secret known by now is in the text: GitHub drops outputs with one. */
  findsSecret?(text: string): boolean
}

export interface Progress {
  /** The work and its object: `backing up app`, `restoring app`. */
  activity: string
  /** Bytes read from the source, or written to the target, so far. */
  done: number
  /** Bytes expected in all, where that is known. */
  total?: number
  /** Bytes that the same work had the last time, where `total` is not known. */
  usual?: number
  /** Bytes put into the store so far. */
  stored?: number
}

/** Where a command tells people what it does. Implementations: a terminal, a workflow log, silence in tests. */
export interface Report {
  /** Something worth a line of its own. */
  info(message: string): void
  /** Something the user should act on; an annotation in a workflow. */
  warning(message: string, hint?: string): void
  /** How far the running activity is; called often, shown at the implementation's own pace. */
  progress(progress: Progress): void
  /** A secret learnt on the way (a password out of a URL): never printed from now on. */
  mask(secret: string): void
  /** A text without the secrets known by now, for what leaves the program by another way. Whoever shows reports to people has it. */
  redacted?(text: string): string
}

export interface Progress {
  /** What runs, to what: `backing up app`, `restoring app`. */
  activity: string
  /** Bytes read from the source, or written to the target, so far. */
  done: number
  /** Bytes expected in all, where that is known. */
  total?: number
  /** Bytes put into the store so far. */
  stored?: number
}

/** Whoever can write to a store could otherwise fill the log. */
const MOST_WARNINGS = 50
const warned = new WeakMap<Pick<Report, 'warning'>, Set<string>>()

/** Warns of an error that the work goes on without: once, however often one command comes upon it. */
export function warningOf(report: Pick<Report, 'warning'>): (error: { message: string; hint: string | undefined }) => void {
  const messages = warned.get(report) ?? new Set()
  warned.set(report, messages)
  return ({ message, hint }) => {
    if (messages.has(message) || messages.size > MOST_WARNINGS) return
    messages.add(message)
    if (messages.size <= MOST_WARNINGS) report.warning(message, hint)
    else report.warning(`more than ${MOST_WARNINGS} such problems; the others are not named`, '`lifeboat list` and `lifeboat verify --snapshot all` look at all snapshots.')
  }
}

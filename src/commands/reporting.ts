import type { Environment, Report } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { ReportInputs } from '../inputs/report.ts'
import { isGood } from '../notify/notice.ts'
import { sheltered } from '../process/lifecycle.ts'
import type { PageFacts } from '../report/page/facts.ts'
import { requireReportFile, writeReport } from '../report/page/file.ts'
import { hiding, neutral, withNames } from '../report/page/naming.ts'
import { reportPage } from '../report/page/page.ts'
import type { RetentionPolicy } from '../repository/retention.ts'
import { list } from './list/list.ts'
import type { ListResult } from './list/result.ts'
import { destinationsOf, type Ended, endedBadly, type Notifying } from './notice.ts'
import { pageFacts } from './page-facts.ts'
import { setOf } from './run-standing.ts'

/** Of the inputs of a command, those that a report needs; a command without `report` writes none. */
export interface Reporting extends Notifying {
  readonly report?: ReportInputs
  /** Of `init` a text, which is no policy yet. */
  readonly retention?: RetentionPolicy | string | undefined
  readonly filters?: Readonly<Record<string, unknown>>
  readonly timeZone?: string
}

/** How the command ended, and the stores that it wrote to. */
export type RunOutcome = Ended & { copies: PageFacts['copies'] }

/** A page tells how a command ended; of one that lists backups, it shows its list. */
export interface Reported<T> {
  readonly ended: (result: T) => RunOutcome
  readonly listed?: (result: T) => ListResult
}

/** Beside its own work, a command reads as many of the newest snapshots, and no longer than this. */
const NEWEST = 60
const MOST_MS = 30_000

/**
 * Does the work, and writes the report that was asked for, also if the work failed. The outcome stays the same: only a list fails if its
 * report cannot be written, before it begins (status 2) if that is clear by then. Others warn of it then, and do their work.
 */
export async function reporting<T extends object>(
  command: string,
  inputs: Reporting,
  environment: Environment,
  work: (environment: Environment) => Promise<T>,
  { ended, listed }: Reported<T>,
): Promise<T> {
  const { report } = inputs
  if (report?.file === undefined) return work(environment)
  await requireReportFile(report.file).catch((error: unknown) => {
    if (listed) throw error
    warnOf(error, 'no report can be written so far', environment)
  })
  const warnings = new Set<string>()
  const watched = { ...environment, report: watching(environment.report, warnings, 'told') }
  let result
  try {
    result = await work(watched)
  } catch (error) {
    const outcome = { ...endedBadly(error), copies: [] }
    if (!environment.signal.aborted && !listed) await tryToTell(command, outcome, inputs, environment, warnings)
    throw error
  }
  if (listed) await write(listed(result), { ...facts(inputs), warnings: [...warnings], copies: [] }, inputs, environment)
  else await tryToTell(command, ended(result), inputs, environment, warnings)
  return result
}

/** A run that did its work is not failed by a page about it, nor interrupted. */
async function tryToTell(
  command: string, outcome: RunOutcome, inputs: Reporting, environment: Environment, warnings: Set<string>,
): Promise<void> {
  const missed = (error: unknown): void => warnOf(error, 'no report was written', environment)
  await sheltered(() => tell(command, outcome, inputs, environment, warnings), missed).catch(missed)
}

function warnOf(error: unknown, what: string, { report }: Environment): void {
  report.warning(`${what}: ${messageOf(error)}`, error instanceof LifeboatError ? error.hint : undefined)
}

async function tell(
  command: string, outcome: RunOutcome, inputs: Reporting, environment: Environment, warnings: Set<string>,
): Promise<void> {
  const { copies, message, problems, advice, status } = outcome
  const given = destinationsOf(inputs)
  const destination = given[Math.max(0, copies.findIndex(({ problem }) => problem === undefined))]
  const { report, access } = inputs
  if (!destination || !access || report?.file === undefined) return
  await requireReportFile(report.file)
  const own = facts({ ...inputs, destination })
  const signal = AbortSignal.any([environment.signal, AbortSignal.timeout(MOST_MS)])
  const quiet = { ...environment, signal, report: watching(environment.report, warnings, 'kept') }
  const listed = await list({
    destination, access, report, key: inputs.key, set: own.set, retention: own.retention, timeZone: own.timeZone, newest: NEWEST,
    filters: { tag: undefined, source: undefined, since: undefined, until: undefined }, format: 'text', columns: undefined,
  }, quiet)
  const good = isGood({ status })
  const run = { command, good, ...(status === 'could not verify' && { open: true as const }), message, problems, advice }
  await write(listed, { ...own, warnings: [...warnings], copies, run }, inputs, environment)
}

type Own = ReturnType<typeof facts>

/** Facts that the inputs have. */
function facts(inputs: Reporting) {
  const { key, destination, retention, timeZone = 'UTC', filters = {} } = inputs
  return {
    // Databases with sets of their own are reported with all others.
    set: setOf(inputs),
    keyed: key !== undefined, destination: destination?.text ?? '', timeZone,
    chosen: Object.values(filters).some((value) => value !== undefined),
    retention: typeof retention === 'object' && Object.keys(retention).length > 0 ? retention : undefined,
  }
}

async function write(
  listed: ListResult,
  beside: Own & Pick<PageFacts, 'warnings' | 'copies' | 'run'>,
  { report }: Reporting,
  environment: Environment,
): Promise<void> {
  const { file, neutral: unnamed } = report!
  const all = withNames(pageFacts(listed, beside, environment), hiding((text) => environment.report.redacted?.(text) ?? text))
  const shown = unnamed ? { ...withNames(all, neutral(all)), timeZone: 'UTC', neutral: true as const } : all
  await writeReport(file!, reportPage(shown), unnamed ? 'by all' : 'by its owner')
  environment.report.info(`the report is in ${file}`)
}

/** A report that remembers the warnings, and tells them to nobody else if they are only `kept`. */
function watching(report: Report, warnings: Set<string>, also: 'told' | 'kept'): Report {
  return {
    ...(also === 'told' ? report : { info: () => undefined, progress: () => undefined, mask: report.mask.bind(report) }),
    ...(report.redacted && { redacted: (text: string) => report.redacted!(text) }),
    ...(report.findsSecret && { findsSecret: (text: string) => report.findsSecret!(text) }),
    warning(message, hint) {
      warnings.add(message)
      if (also === 'told') report.warning(message, hint)
    },
  }
}

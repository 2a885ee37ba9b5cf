import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { secondsSince } from '../../process/elapsed.ts'
import { inParallel } from '../../process/parallel.ts'
import type { Report } from '../../environment.ts'
import type { ArchiveBlocks } from './archive-blocks.ts'
import { ContentsReader, type Entry, POST_DATA, type RawEntry } from './contents.ts'
import { passOf } from './drill/head.ts'
import { outcomeWith, pgRestore } from './pg-restore.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import type { RestoreOptions, RestorePlan } from './restore-plan.ts'
import { staged } from './staged.ts'

/** The ids of entries, in the order in which a single pg_restore takes them. */
interface Steps {
  /** Definitions that rows need. */
  before: number[]
  /** Entries that have a block of data. */
  data: Entry[]
  /** Indexes, keys, triggers; then privileges; then the rows of materialized views and event triggers. */
  after: number[]
}

/** Tables that are restored by one pg_restore, one after the other. */
interface Group {
  ids: number[]
  size: number
}

/**
 * Restores definitions, then the rows of several tables at the same time, each by a pg_restore of its own that reads its blocks from the
 * store, then all that follows rows. Of the archive, only the table of contents is staged. The order is that of a single pg_restore, where
 * privileges come after the rows: they may take a right that loading them needs. `wanted`: selects blocks.
 */
export async function restoreInParallel(
  { options, plan, folder, parameters }: { options: RestoreOptions; plan: RestorePlan; folder: string; parameters: readonly string[] },
  blocks: ArchiveBlocks, wanted: (id: number) => boolean,
): Promise<RestoreOutcome> {
  const { jobs, name, signal } = options
  const report = once(options.report)
  const head = path.join(folder, 'head.dump')
  const steps = stepsOf(await staged(folder, () => stageHead(blocks, head, wanted)), plan)
  const list = async (file: string, ids: readonly number[]): Promise<string> => {
    await staged(folder, () => writeFile(path.join(folder, file), ids.map((id) => `${id};\n`).join(''), { mode: 0o600 }))
    return `--use-list=${path.join(folder, file)}`
  }
  const definitions = steps.before.length === 0 ? []
    : await pgRestore([...parameters, await list('before', steps.before), head], [], { ...options, report }, plan)
  const groups = groupsOf(steps.data, blocks.sizes, jobs)
  const total = groups.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  const followed = async function* (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of bytes) {
      signal.throwIfAborted()
      done += piece.length
      yield piece
      report.progress({ activity: `restoring ${name}`, done, total })
    }
  }
  // If one breaks off, the others are stopped: nothing more of them is needed.
  const broken = new AbortController()
  const within: RestoreOptions = { ...options, report, signal: AbortSignal.any([signal, broken.signal]) }
  const rows = await inParallel([...groups.entries()], jobs, async ([index, { ids }]) => {
    const own = new Set(ids)
    const archive = joined(createReadStream(head), followed(blocks.data((id) => own.has(id))))
    try {
      return await pgRestore([...parameters, await list(`rows${index}`, ids)], archive, within, plan)
    } catch (error) {
      broken.abort(error)
      throw broken.signal.reason
    }
  })
  const loaded = performance.now()
  const rest = steps.after.length === 0 ? []
    : await pgRestore([...parameters, await list('after', steps.after), `--jobs=${jobs}`, head], [], { ...options, report }, plan)
  const outcome = outcomeWith([...definitions, ...rows.flat(), ...rest], plan.count, options)
  return { ...outcome, phases: { indexes: secondsSince(loaded) } }
}

/** Each pg_restore says the same of the server: it is told once. */
function once(report: Report): Report {
  const said = new Set<string>()
  const isNew = (text: string): boolean => !said.has(text) && said.add(text) !== undefined
  return {
    ...report, info: (text) => isNew(text) && report.info(text), warning: (text, hint) => isNew(text) && report.warning(text, hint),
  }
}

async function* joined(...all: AsyncIterable<Buffer>[]): AsyncGenerator<Buffer> {
  for (const bytes of all) yield* bytes
}

/** Writes the table of contents into a file, and gives its entries. */
async function stageHead(blocks: ArchiveBlocks, file: string, wanted: (id: number) => boolean): Promise<Steps> {
  const steps: Steps = { before: [], data: [], after: [] }
  let afterRows = false
  const keeps = (entry: RawEntry): boolean => {
    afterRows ||= entry.section === POST_DATA
    if (blocks.sizes.has(entry.id)) return wanted(entry.id)
    const first = !afterRows && (passOf(entry) === 'main' || entry.kind === 'STATISTICS DATA')
    steps[first ? 'before' : 'after'].push(entry.id)
    return false
  }
  const contents = new ContentsReader({ keeps })
  await writeFile(file, read(), { flag: 'wx', mode: 0o600 })
  steps.data = contents.finish()
  return steps
  async function* read(): AsyncGenerator<Buffer> {
    for await (const piece of blocks.read(() => false)) {
      contents.push(piece)
      yield piece
    }
  }
}

/** The steps without entries that the plan leaves out. */
function stepsOf({ before, data, after }: Steps, { selection, missing, roleless, entries }: RestorePlan): Steps {
  if (!selection && !missing && !roleless) return { before, data, after }
  const ids = new Set(entries.map(({ id }) => id))
  return {
    before: before.filter((id) => ids.has(id)), data: data.filter(({ id }) => ids.has(id)), after: after.filter((id) => ids.has(id)),
  }
}

/** Tables that are worth a process of their own have at least so many bytes. */
const LEAST = 16 * 1024 * 1024

/**
 * Divides the entries, the largest group first. Small ones that follow each other in the archive are together, because they share chunks;
 * and so are those that need the rows of others first (tables of extensions), in the order of the archive.
 */
function groupsOf(entries: readonly Entry[], sizes: ReadonlyMap<number, number>, jobs: number): Group[] {
  const total = entries.reduce((sum, { id }) => sum + sizes.get(id)!, 0)
  const least = Math.max(LEAST, total / (4 * jobs))
  const groupOf = new Map<number, Group>()
  let gathered: Group | undefined
  for (const { id, needs } of entries) {
    const size = sizes.get(id)!
    const [first, ...others] = new Set(needs.flatMap((need) => groupOf.get(need) ?? []))
    const group = first ?? (size >= least ? { ids: [], size: 0 } : (gathered ??= { ids: [], size: 0 }))
    for (const other of others) for (const moved of other.ids) groupOf.set(moved, group)
    group.ids.push(...others.flatMap(({ ids }) => ids), id)
    group.size += others.reduce((sum, other) => sum + other.size, size)
    groupOf.set(id, group)
    if (gathered && gathered.size >= least) gathered = undefined
  }
  const order = new Map(entries.map(({ id }, at) => [id, at]))
  return [...new Set(groupOf.values())]
    .map(({ ids, size }) => ({ ids: ids.toSorted((a, b) => order.get(a)! - order.get(b)!), size }))
    .toSorted((a, b) => b.size - a.size)
}

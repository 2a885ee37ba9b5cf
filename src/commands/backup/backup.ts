import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Environment, Report } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import type { BackupInputs } from './inputs.ts'
import { shrunkLines } from './shrink.ts'
import { atOnce, idOf, newestFirst, snapshotIfAuthentic, snapshotKeys, timeAfter } from '../../repository/catalog.ts'
import { type Keys, openKeys, parseEncryptionKey } from '../../repository/keys.ts'
import { type KnownChunks, loadKnown } from '../../repository/known.ts'
import { LIMITS } from '../../repository/limits.ts'
import { lastLook } from '../../repository/last-look.ts'
import { FORMAT } from '../../repository/format.ts'
import { markOf, newSnapshotId, snapshotKey, type SourceRecord, sourceSize, storedBytes, type StreamRecord } from '../../repository/snapshot.ts'
import { Tally } from '../../repository/statistics.ts'
import { beginRun } from '../../repository/unfinished.ts'
import { Writer } from '../../repository/writer.ts'
import { LEAST } from '../../sources/loss.ts'
import { type Shrunk, shrunken } from '../../sources/shrink.ts'
import { remarksOf } from '../../sources/remarks.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import { ReadAgain, type Source } from '../../sources/source.ts'
import { inParallel } from '../../process/parallel.ts'
import type { Store } from '../../stores/store.ts'
import { VERSION } from '../../version.ts'
import { ReusedCheck } from './check-reused.ts'
import { Destinations } from './destinations.ts'
import { secondsSince } from '../elapsed.ts'
import { sourcesOf } from './sources.ts'
import { quiesce } from './quiesce.ts'
import type { BackupResult } from './result.ts'

type SourceResult = BackupResult['sources'][number]

const NEARLY_FULL = 0.8
/** How often the sources are read, where damage is found in chunks that the backup has listed already. */
const MOST_READINGS = 3
const ONCE_MORE = 'The content of the damaged object is stored again. `lifeboat verify --level read` looks for more damage.'

/** Backs up every source into one snapshot of the set, and reads it back. Throws, and puts no snapshot, unless all of them ended well. */
export async function backup(inputs: BackupInputs, environment: Environment): Promise<BackupResult> {
  const started = performance.now()
  // Of two clocks, for one stands still while a machine sleeps, and the other may be set.
  const began = environment.now()
  const { report, signal } = environment
  parseEncryptionKey(inputs.key)
  const context: SourceContext = { ...environment, clientInstall: inputs.clientInstall }
  const newSources = (): Source[] => sourcesOf(inputs, context)
  const sources = newSources()
  const destinations = await Destinations.open(inputs, environment)
  const { store } = destinations
  let known: KnownChunks | undefined
  let reused: ReusedCheck | undefined
  let resume: (() => Promise<void>) | undefined
  try {
    for (const source of sources) await source.open()
    await destinations.prepare()
    const onDamaged = warningOf(report)
    const keys = await openKeys(inputs.key, { store, recipients: inputs.recipients, create: true, onDamaged })
    let largest = 0
    const before = await snapshotKeys(store, inputs.set, ({ size }) => (largest = Math.max(largest, size)))
    if (largest > NEARLY_FULL * LIMITS.snapshot) report.warning(nearlyFull(inputs.set, largest), 'Back up the sources in several sets.')
    known = await loadKnown(store, keys, inputs.set, onDamaged, before)
    const checking = new ReusedCheck(known, store, keys, inputs.checkReused, environment)
    reused = checking
    const onBadBase = (error: LifeboatError): void => {
      onDamaged(error)
      checking.found(error)
    }
    tellOfRecipients(known, environment)
    await destinations.lookForSpace(known.newest?.added)

    const time = nextTime(known.latest, inputs.set, environment)
    let id = newSnapshotId(time, randomBytes(4))
    const unfinished = await beginRun(store, keys, { set: inputs.set, id, snapshots: new Set(before.map(idOf)), grace: inputs.pruning.grace, now: () => environment.now(), onDamaged })
    let writer = new Writer({ store, keys, known, unfinished, ...inputs.sealing, mark: markOf(id), signal, onDamaged: onBadBase })
    resume = await quiesce(inputs.hooks, environment)
    let { records, results } = await storeSources(sources, writer, known, environment)
    for (let reading = 2; reading <= MOST_READINGS && writer.lost().length > 0; reading++) {
      report.warning(`${writer.lost()[0]} was found damaged after this backup had relied on it: the sources are read once more`, ONCE_MORE)
      id = newSnapshotId(time, randomBytes(4))
      writer = writer.again(markOf(id))
      await Promise.all(sources.splice(0).map((source) => source.close()))
      sources.push(...newSources())
      for (const source of sources) await source.open()
      ;({ records, results } = await storeSources(sources, writer, known, environment))
    }
    const unsettled = await failureOf(resume)
    resume = undefined
    const { checked, damaged } = await checking.conclude(inputs.set)
    const { adopted } = writer
    if (adopted.chunks > 0) report.info(`${formatCount(adopted.chunks, 'chunk')} (${formatBytes(adopted.bytes)}) of an interrupted backup were checked and used`)
    await lastLook(store, keys, { chunks: writer.listed(), elapsed: Math.max(performance.now() - started, environment.now().getTime() - Math.min(began.getTime(), adopted.since?.getTime() ?? Infinity)), grace: inputs.pruning.grace, now: environment.now() })
    signal.throwIfAborted()
    const { stored, chunks, size } = await writer.commit(
      { format: FORMAT, id, set: inputs.set, time: time.toISOString(), tags: inputs.tags, ...(results.some(({ partial }) => partial) && { partial: true }) },
      { sources: records, description: inputs.description, run: environment.run ?? null, lifeboat: VERSION },
    )

    const shrunk = known.newest ? shrunken(known.newest.sources, records) : shrunkenAsAWhole(await recentSnapshots(store, keys, before.slice(0, 1), largest, report), size, inputs.set)
    for (const text of shrunkLines(shrunk)) report.warning(`since the backup before: ${text}`, 'If that is meant, all is well. If not, restore from an earlier snapshot, and pin it: the next backup prunes by the policy again. `lifeboat diff` shows what else is different.')
    // The facts of many tables take memory that reading them back needs.
    records.length = 0
    await Promise.all(sources.splice(0).map((source) => source.close()))
    const held = shrunk.length > 0 ? 'something lost more than half of what it had, or is gone' : undefined
    if (held !== undefined && Object.keys(inputs.retention).length > 0) report.warning(`nothing was pruned: ${held}`, 'The next backup prunes by the policy again: pin what is to stay (`lifeboat pin ID`).')
    // What was reused was looked for before it was.
    const concluded = await destinations.conclude(id, keys, new Set(writer.reused()), context, { prune: !unsettled, held, damaged })
    if (unsettled) throw unsettled.error
    const { added, newChunks, deltaChunks, forRecipients } = writer
    const seconds = secondsSince(started)
    return { snapshot: id, set: inputs.set, time: time.toISOString(), size, stored, added, chunks, newChunks, deltaChunks, seconds, ...(forRecipients.chunks > 0 && { forRecipients }), ...(keys.identity !== undefined && { checked }), shrunk, onShrink: inputs.onShrink, ...concluded, sources: results, ...(await recentSnapshots(store, keys, [snapshotKey(inputs.set, id), ...before], largest, report)) }
  } finally {
    const unsettled = await failureOf(resume)
    if (unsettled) report.warning(messageOf(unsettled.error), unsettled.error instanceof LifeboatError ? unsettled.error.hint : undefined)
    await Promise.all(sources.map((source) => source.close()))
    await reused?.close()
    await known?.close()
    await destinations.close()
  }
}

function nearlyFull(set: string, largest: number): string {
  return `a snapshot of set ${set} has ${formatBytes(largest)}, and none may have more than ${formatBytes(LIMITS.snapshot)}`
}

/** What goes wrong after the reading is told, but is no reason to throw away what has been read. */
async function failureOf(work: (() => Promise<void>) | undefined): Promise<{ error: unknown } | undefined> {
  try {
    await work?.()
    return undefined
  } catch (error) {
    return { error }
  }
}

async function storeSources(sources: readonly Source[], writer: Writer, known: KnownChunks, environment: Environment): Promise<{ records: SourceRecord[]; results: SourceResult[] }> {
  const records: SourceRecord[] = []
  const results: SourceResult[] = []
  for (const source of sources) {
    const { record, result } = await storeSource(source, writer, known.newest?.sources.find(({ name, kind }) => name === source.name && kind === source.kind), environment)
    records.push(record)
    results.push(result)
  }
  return { records, results }
}

async function storeSource(source: Source, writer: Writer, before: SourceRecord | undefined, { report }: Environment): Promise<{ record: SourceRecord; result: SourceResult }> {
  const started = performance.now()
  const addedBefore = writer.added
  const streams: SourceRecord['streams'] = []
  let read = 0
  const onBytes = (bytes: number): void => {
    read += bytes
    report.progress({ activity: `backing up ${source.name}`, done: read, stored: writer.added })
  }
  for await (const { name, format, same, bytes } of source.streams(before)) {
    const record = (same && (await writer.reuse(name, same, onBytes))) ?? (await again(writer.stream(name, format, bytes, onBytes)))
    if (record) streams.push(record)
  }
  await writer.settled()
  const { name, kind } = source
  const record = { name, kind, streams, facts: source.facts() }
  const remarks = remarksOf(record)
  for (const lack of remarks.partial ?? []) report.info(`${name} is backed up in part: ${lack}`)
  return {
    record,
    result: { name, kind, size: sourceSize({ streams }), added: writer.added - addedBefore, seconds: secondsSince(started), ...remarks },
  }
}

/** Nothing for a stream that its source is about to yield once more. */
async function again(stored: Promise<StreamRecord>): Promise<StreamRecord | undefined> {
  try {
    return await stored
  } catch (error) {
    if (error instanceof ReadAgain) return undefined
    throw error
  }
}

/** A recipient that was not asked for before can open only what is sealed anew; one that is not asked for any more cannot open this backup. */
function tellOfRecipients({ unsealed, dropped, latest }: KnownChunks, { report }: Environment): void {
  if (dropped.length > 0) {
    report.warning(
      `this backup cannot be opened by ${formatCount(dropped.length, 'recipient')} that can open snapshot ${latest}: the input recipients does not name ${dropped.length === 1 ? 'it' : 'them'} any more`,
      'Every backup is sealed to the encryption key and to those that its own recipients names. If that is meant, all is well. If not, give recipients in every backup, and back up again.',
    )
  }
  const chunks = unsealed.ids.size
  if (chunks === 0) return
  report.warning(
    `${formatCount(chunks, 'chunk')} of the newest snapshot (${formatBytes(unsealed.bytes)} of data) ${chunks === 1 ? 'is' : 'are'} not sealed to every recipient: what this backup needs of them is stored once more`,
    'A recipient was added. It opens the snapshots from this one on, not those before.',
  )
}

/** `newest`: id of the newest snapshot of the set that is authentic. */
function nextTime(newest: string | undefined, set: string, environment: Environment): Date {
  const { time, skewed } = timeAfter(newest, environment.now())
  if (skewed) environment.report.warning(`the newest snapshot of set ${set}, ${newest}, is dated in the future: \`latest\` passes over it`, 'Set the clock of the machine that is wrong.')
  return time
}

/** With a write key nothing is known of the sources of the snapshot before. */
function shrunkenAsAWhole({ recent: [before] }: Pick<BackupResult, 'recent'>, size: number, set: string): Shrunk[] {
  return before && before.size >= LEAST.bytes && size < before.size / 2 ? [{ source: set, kind: 'set', measure: 'bytes', before: before.size, now: size }] : []
}

/** As many as a chart shows well. */
const RECENT = 20

/** `snapshots`: keys of those of the set; `largest`: bytes of the largest that was there. The backup is stored already: if they cannot be read, that is a warning. */
async function recentSnapshots(store: Store, keys: Keys, snapshots: readonly string[], largest: number, report: Report): Promise<Pick<BackupResult, 'recent' | 'recentTotal'>> {
  const tally = new Tally()
  const sizesOf = async (key: string): Promise<BackupResult['recent'][number] | undefined> => {
    const snapshot = await snapshotIfAuthentic(store, key, keys)
    if (!snapshot) return undefined
    tally.add(snapshot.header)
    const { id, time, size, added, chunks } = snapshot.header
    return { snapshot: id, time, size, added, stored: storedBytes(chunks) }
  }
  try {
    const recent = await inParallel(newestFirst(snapshots).slice(0, RECENT), atOnce(4, largest), sizesOf)
    return { recent: recent.filter((one) => one !== undefined), recentTotal: tally.sum }
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    report.warning(`the sizes of earlier backups are not known: ${error.message}`, 'The backup itself is stored. Sizes are only compared and shown.')
    return { recent: [], recentTotal: new Tally().sum }
  }
}

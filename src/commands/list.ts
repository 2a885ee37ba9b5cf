import type { Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import type { Inputs } from '../inputs.ts'
import { momentOf } from '../inputs/moment.ts'
import { type Report, warningOf } from '../report/report.ts'
import type { Keys } from '../repository/keys.ts'
import { type ReadLabels, readLabels, tagsOf } from '../repository/labels.ts'
import { isVerified, type Proof, readProofs } from '../repository/proofs.ts'
import { retain } from '../repository/retention.ts'
import { chunkKey, idTime, openDescription, type Snapshot, sourceSize, storedBytes } from '../repository/snapshot.ts'
import { survey, type Surveyed } from '../repository/survey.ts'
import type { Store } from '../stores/store.ts'
import { withStore } from './opened.ts'
import type { ListedSnapshot, ListResult } from './results.ts'

/** The snapshots of a store, newest first. A damaged one is reported and left out; of one under another key the public part is shown. */
export async function list(inputs: Inputs['list'], environment: Environment): Promise<ListResult> {
  const { set, retention } = inputs
  const now = environment.now()
  const [since, until] = [inputs.since, inputs.until].map((moment) => moment && momentOf(moment, now))
  // Ids count whole seconds.
  const wanted = (id: string): boolean => (!since || id.slice(0, 16) >= idTime(new Date(Math.ceil(since.getTime() / 1000) * 1000))) && (!until || id.slice(0, 16) <= idTime(until))
  return withStore(inputs, environment, async (store, keys) => {
    if (inputs.source !== undefined && keys?.identity === undefined) {
      throw new LifeboatError('which sources a snapshot has is known only with a key that can decrypt', { hint: 'Give the age identity or the passphrase in encryption-key, or leave out source.', status: 2 })
    }
    const { signal, report } = environment
    const expires = await expiries(store)
    const [known, found] = await Promise.all([
      whatIsKnown(store, keys, { set, wanted }, report),
      // A policy counts from the newest on, so with one all are read.
      survey(store, keys, { set, ...(!retention && { wanted }), signal, onDamaged: warningOf(report) }, (surveyed) => describe(surveyed, expires)),
    ])
    const snapshots = found.map((described) => listed(described, known))
    const decided = retention ? withReasons(snapshots, retention, inputs.timezone, now) : snapshots
    const filters = [
      ({ id }: ListedSnapshot) => wanted(id),
      ({ tags }: ListedSnapshot) => inputs.tag === undefined || tags.includes(inputs.tag),
      ({ sources }: ListedSnapshot) => inputs.source === undefined || sources?.some(({ name }) => name === inputs.source) === true,
    ]
    return { store: store.name, listed: now.toISOString(), snapshots: decided.filter((snapshot) => filters.every((filter) => filter(snapshot))) }
  })
}

/** What other objects than the snapshots themselves tell of them. */
export interface Known {
  labels: ReadonlyMap<string, ReadLabels>
  proofs: ReadonlyMap<string, readonly Proof[]>
}

/** Labels and proofs that cannot be believed are reported. */
export async function whatIsKnown(store: Store, keys: Keys | undefined, of: { set: string | undefined; wanted: (id: string) => boolean }, report: Report): Promise<Known> {
  const [labels, proofs] = await Promise.all([
    readLabels(store, keys, of.set),
    readProofs(store, keys, { ...of, onDamaged: warningOf(report) }),
  ])
  for (const [id, { problem }] of labels) if (problem !== undefined && of.wanted(id)) report.warning(problem, 'Pin or unpin the snapshot to write them anew.')
  return { labels, proofs }
}

/** When each object expires, by key, of stores where they do. */
export async function expiries(store: Store): Promise<ReadonlyMap<string, Date>> {
  const found = new Map<string, Date>()
  // Elsewhere nothing expires, and to list every object would take its time.
  if (store.neededUntil) for await (const { key, expires } of store.list('')) if (expires) found.set(key, expires)
  return found
}

/** A snapshot without what other objects tell of it. */
type Described = Omit<ListedSnapshot, 'pinned' | 'proofs' | 'verified'>

async function describe({ snapshot, authentic }: Surveyed, expires: ReadonlyMap<string, Date>): Promise<Described> {
  const described = authentic?.keys.identity === undefined ? undefined : await openDescription(authentic)
  return {
    ...visiblePart(snapshot, expires),
    authentic: authentic !== undefined,
    ...(described && {
      description: described.description,
      run: described.run?.url ?? null,
      sources: described.sources.map((source) => ({ name: source.name, kind: source.kind, size: sourceSize(source) })),
    }),
  }
}

type Visible = Pick<ListedSnapshot, 'id' | 'set' | 'time' | 'size' | 'added' | 'tags' | 'stored' | 'chunks' | 'key' | 'expires'>

/** What the header tells, which anyone can read. */
export function visiblePart({ key, header }: Snapshot, expires: ReadonlyMap<string, Date>): Visible {
  const { id, set, time, size, added, chunks, tags } = header
  return { id, set, time, size, added, tags, stored: storedBytes(chunks), chunks: chunks.length, key: header.key, ...expiry([key, ...chunks.map(([chunk, , , , mark]) => chunkKey(chunk, mark))], expires) }
}

/** The first of what a snapshot needs that expires takes the whole with it. */
function expiry(needed: readonly string[], expires: ReadonlyMap<string, Date>): Pick<ListedSnapshot, 'expires'> {
  const times = expires.size === 0 ? [] : needed.map((key) => expires.get(key)).filter((time) => time !== undefined)
  return times.length === 0 ? {} : { expires: times.reduce((first, time) => (time < first ? time : first)).toISOString() }
}

function listed(described: Described, { labels, proofs }: Known): ListedSnapshot {
  const [own, found] = [labels.get(described.id), proofs.get(described.id) ?? []]
  const newest = [...Map.groupBy(found, ({ level }) => level).values()].map(([proof]) => proof!)
  return {
    ...described,
    tags: tagsOf(described, own),
    pinned: own?.pinned ?? false,
    verified: isVerified(found),
    proofs: newest.map(({ level, result, time }) => ({ level, result, time })).toSorted((a, b) => b.time.localeCompare(a.time)),
  }
}

function withReasons(snapshots: readonly ListedSnapshot[], policy: NonNullable<Inputs['list']['retention']>, timeZone: string, now: Date): ListedSnapshot[] {
  const candidates = snapshots.map((listed) => ({ id: listed.id, set: listed.set, time: new Date(listed.time), pinned: listed.pinned, verified: listed.verified, listed }))
  const decisions = new Map(retain(candidates, policy, timeZone, now).map(({ snapshot, keep, reasons }) => [snapshot.listed, { keep, reasons }]))
  return snapshots.map((listed) => {
    const decision = decisions.get(listed)!
    // Only an age says when it will have passed; what other rules keep depends on backups to come.
    const alone = decision.keep && decision.reasons.length === 1 && decision.reasons[0]!.startsWith('within ')
    const expires = alone && policy.within !== undefined && listed.expires === undefined ? { expires: new Date(Date.parse(listed.time) + policy.within).toISOString() } : {}
    return { ...listed, ...expires, retention: decision }
  })
}

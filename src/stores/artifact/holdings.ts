import type { Dependents, Release, Released, Wholeness } from '../store.ts'
import { isPartName } from './names.ts'
import type { Parts } from './parts.ts'

/** An artifact of a backup, as far as decisions depend on it. Pure. */
export interface Holding {
  id: number
  name: string
  /** Bytes of the zip file. */
  size: number
  set: string
  created: Date
  objects: ReadonlySet<string>
  needs: Parts['needs']
}

/**
 * Which snapshots of a set, or of all, have lost a part, and the newest one that has not, by key; newest first. The parts of other sets may
 * not have been looked for. `artifact`: of the lost, those that needed this one.
 */
export function wholeness(holdings: readonly Holding[], set: string | undefined, artifact?: number): Wholeness {
  const present = new Set(holdings.flatMap(({ objects }) => [...objects]))
  const isLost = ({ needs }: Holding): boolean => needs.some(({ objects }) => objects.some(([key]) => !present.has(key)))
  const own = holdings.filter((holding) => set === undefined || holding.set === set)
  const all = [...new Set(own.flatMap(snapshotsOf))].toSorted(newestFirst)
  const lost = new Set(own.filter(isLost).flatMap(snapshotsOf))
  const needed = ({ needs }: Holding): boolean => artifact === undefined || needs.some((need) => need.artifact === artifact)
  const needing = new Set(own.filter(needed).flatMap(snapshotsOf))
  return { lost: all.filter((key) => lost.has(key) && needing.has(key)), newestWhole: all.find((key) => !lost.has(key)) }
}

/** When the oldest artifact was made that the last snapshot of a set needs, lost ones aside; undefined without a snapshot. */
export function oldestNeeded(holdings: readonly Holding[], set: string | undefined): Date | undefined {
  const snapshots = holdings.flatMap((holding) => snapshotsOf(holding).map((key) => ({ key, holding })))
  // By the time of GitHub: the one in an id may be of a clock that was ahead.
  const [newest] = snapshots
    .filter(({ key }) => key.split('/')[1] === set)
    .toSorted((a, b) => b.holding.created.getTime() - a.holding.created.getTime() || newestFirst(a.key, b.key))
  if (!newest) return undefined
  const needed = new Set([newest.holding.id, ...newest.holding.needs.map(({ artifact }) => artifact)])
  return new Date(Math.min(...holdings.filter(({ id }) => needed.has(id)).map(({ created }) => created.getTime())))
}

/** Each artifact, and the snapshots (keys) of a set, or of all, that depend on it, with those in it; first those that most depend on. */
export function dependents(holdings: readonly Holding[], set: string | undefined): Dependents[] {
  const byId = new Map<number, Set<string>>()
  for (const holding of holdings.filter((one) => set === undefined || one.set === set)) {
    for (const id of [holding.id, ...holding.needs.map(({ artifact }) => artifact)]) {
      const snapshots = byId.get(id) ?? new Set()
      byId.set(id, snapshots)
      for (const key of snapshotsOf(holding)) snapshots.add(key)
    }
  }
  const found = holdings.map((holding) => {
    return { ...described(holding), created: holding.created, snapshots: [...(byId.get(holding.id) ?? [])] }
  })
  return found.filter(({ snapshots }) => snapshots.length > 0).toSorted((a, b) => b.snapshots.length - a.snapshots.length)
}

/**
 * The artifacts that may be deleted: they hold no snapshot to keep, no object that one needs, and no proof that no other artifact has. A
 * part that no backup needs is of a run that was interrupted, or of one that is running and then younger than the grace. A backup that is
 * running may build on the snapshots that were the newest when it began, at most `grace` milliseconds ago; their artifacts and what these
 * need stay as well. So does the newest state of a set and command.
 */
export function unneeded(holdings: readonly Holding[], now: Date, { kept, grace, builtOn }: Omit<Release, 'dryRun'>): Holding[] {
  const isYoung = ({ created }: Pick<Holding, 'created'>): boolean => now.getTime() - created.getTime() < grace
  const protectedKeys = new Set([...kept, ...newestOfSets(holdings, isYoung, builtOn)])
  const needed = new Set<number>()
  const keep = ({ id, needs }: Holding): void => {
    needed.add(id)
    for (const need of needs) for (const provider of providersOf(need, holdings)) needed.add(provider)
  }
  for (const holding of holdings) if (snapshotsOf(holding).some((key) => protectedKeys.has(key))) keep(holding)
  const staying = holdings.filter(({ id }) => needed.has(id))
  const snapshots = staying.flatMap(snapshotsOf)
  const there = new Set(staying.flatMap(({ objects }) => [...objects]))
  // Of the artifacts that have a proof, the newest stays, and one without snapshots rather than a backup.
  for (const holding of holdings.toSorted((a, b) => Number(hasSnapshot(a)) - Number(hasSnapshot(b)) || newerFirst(a, b))) {
    const proofs = proofsOf(holding).filter((key) => protectedKeys.has(provenBy(key)) || mayTellOf(snapshots, key))
    if (proofs.every((key) => there.has(key))) continue
    keep(holding)
    for (const key of proofs) there.add(key)
  }
  const newest = newestStates(holdings)
  return holdings.filter((holding) => {
    const counts = isPartName(holding.name) || hasSnapshot(holding) || proofsOf(holding).length > 0 || tellsOfOldRuns(holding, newest)
    return counts && !needed.has(holding.id) && !isYoung(holding)
  })
}

/** A state: what it is about, and its id, in the order of time. */
const STATE = /^(states\/[^/]+\/[^./]+)\.([^./]+)\./

/** The ids of the newest states, by what they are about. */
function newestStates(holdings: readonly Holding[]): Map<string, string> {
  const newest = new Map<string, string>()
  for (const key of holdings.flatMap(({ objects }) => [...objects].filter((one) => one.startsWith('states/')))) {
    const [, about = '', id = ''] = STATE.exec(key) ?? []
    if (id > (newest.get(about) ?? '')) newest.set(about, id)
  }
  return newest
}

/** Whether its content are states alone, apart from objects that every artifact has, and each is older than the newest of its kind. */
function tellsOfOldRuns({ objects }: Holding, newest: ReadonlyMap<string, string>): boolean {
  const content = [...objects].filter((key) => key.includes('/') && !key.startsWith('keys/'))
  return content.length > 0 && content.every((key) => {
    const [, about = '', id = ''] = STATE.exec(key) ?? []
    return id < (newest.get(about) ?? '')
  })
}

function newerFirst(a: Holding, b: Holding): number {
  return b.created.getTime() - a.created.getTime() || b.id - a.id
}

/** Whether a proof names chunks that some of these snapshots (keys), which are older, may need: that they are damaged must stay known. */
export function mayTellOf(snapshots: readonly string[], proof: string): boolean {
  const [, set, id] = /^proofs\/([^/]+)\/[^./]+\.([^./]+)\.\w+-\w+-chunks\./.exec(proof) ?? []
  return id !== undefined && snapshots.some((key) => key.startsWith(`snapshots/${set}/`) && key < `snapshots/${set}/${id}`)
}

export function hasSnapshot(one: Parameters<typeof snapshotsOf>[0]): boolean {
  return snapshotsOf(one).length > 0
}

/** The artifact that a backup names, and every other holder of the objects that it lacks, because it has expired or was deleted. */
function providersOf({ artifact, objects }: Holding['needs'][number], holdings: readonly Holding[]): number[] {
  const named = holdings.find(({ id }) => id === artifact)?.objects
  const lacking = objects.filter(([key]) => !named?.has(key))
  return [artifact, ...holdings.filter((holding) => lacking.some(([key]) => holding.objects.has(key))).map(({ id }) => id)]
}

/** Artifacts that stay although they hold snapshots and none to keep, and the snapshots to keep that need them or have proofs in them. */
export function stayingWithout(staying: readonly Holding[], kept: ReadonlySet<string>): Released['staying'] {
  const keptIn = (holding: Holding): string[] => snapshotsOf(holding).filter((key) => kept.has(key))
  const needing = (id: number): Holding[] => staying.filter(({ needs }) => needs.some(({ artifact }) => artifact === id))
  return staying
    .filter((holding) => snapshotsOf(holding).length > 0 && keptIn(holding).length === 0)
    .map((holding) => {
      const proves = new Set(proofsOf(holding).filter((key) => kept.has(provenBy(key)) || mayTellOf([...kept], key)).map(provenBy))
      return { ...described(holding), neededBy: needing(holding.id).flatMap(keptIn), proves: [...proves] }
    })
}

export function described({ id, name, size }: Holding): Released['artifacts'][number] {
  return { id, name, size }
}

/** Of each set, the snapshots that a running backup may build on: all young ones, and the newest when the oldest of these backups began. */
function newestOfSets(holdings: readonly Holding[], isYoung: (snapshot: Pick<Holding, 'created'>) => boolean, builtOn: number): string[] {
  const all = holdings.flatMap((holding) => snapshotsOf(holding).map((key) => ({ key, created: holding.created })))
  return [...Map.groupBy(all, ({ key }) => key.split('/')[1]).values()].flatMap((ofSet) => {
    const young = ofSet.filter(isYoung)
    const old = ofSet.filter((snapshot) => !isYoung(snapshot)).toSorted((a, b) => newestFirst(a.key, b.key))
    return [...young, ...old.slice(0, builtOn)].map(({ key }) => key)
  })
}

export function snapshotsOf({ objects }: { objects: Holding['objects'] | ReadonlyMap<string, unknown> }): string[] {
  return [...objects.keys()].filter((key) => key.startsWith('snapshots/'))
}

function proofsOf({ objects }: Holding): string[] {
  return [...objects].filter(isProof)
}

export function isProof(key: string): boolean {
  return key.startsWith('proofs/')
}

/** The key of the snapshot that a proof is of. */
export function provenBy(proof: string): string {
  return proof.replace(/^proofs\/([^/]+)\/([^./]+).*$/, 'snapshots/$1/$2.json.zst')
}

function newestFirst(a: string, b: string): number {
  const [idA, idB] = [a, b].map((key) => key.slice(key.lastIndexOf('/') + 1))
  return idA! < idB! ? 1 : -1
}

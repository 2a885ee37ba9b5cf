// Backups, restores and prunes by several machines at the same time, one store operation after the other in an order that a seed decides, with
// kills, lost answers, repeated puts, stale listings and clocks that differ; against a plain model. These hold at every moment: every
// snapshot that exists restores byte for byte (docs/architecture.md, invariant 4), unless a disk has damaged a chunk of it, which is never
// called good once it is known; no set loses its newest snapshot or the newest that is good; and no prune deletes one that is pinned.
import { isDeepStrictEqual } from 'node:util'
import { decide } from '../../src/commands/prune/decide.ts'
import { deleteUnneeded } from '../../src/commands/prune/free.ts'
import { damagedAmong } from '../../src/commands/verify/chunks.ts'
import { parseRetention } from '../../src/inputs/retention.ts'
import { carryDamage } from '../../src/repository/carry-damage.ts'
import { idOf, readAuthentic, snapshotKeys } from '../../src/repository/catalog.ts'
import { copySnapshot } from '../../src/repository/copy.ts'
import { CopiedDamage } from '../../src/repository/copy-damage.ts'
import { forgetSnapshot } from '../../src/repository/forget.ts'
import { freshnessOf } from '../../src/repository/freshness.ts'
import { copyKeyFiles } from '../../src/repository/key-files.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { DamagedChunk, Reader } from '../../src/repository/reader.ts'
import { renewRecoveryFiles } from '../../src/repository/recovery.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { proveSnapshot } from '../../src/repository/proofs.ts'
import { readReferences, References } from '../../src/repository/references.ts'
import { keepRestoreTime, readRestoreTime } from '../../src/repository/restore-time.ts'
import { retain } from '../../src/repository/retention.ts'
import { safetySetOf } from '../../src/repository/safety-set.ts'
import { SetProofs } from '../../src/repository/set-proofs.ts'
import { chunkKey, snapshotKey } from '../../src/repository/snapshot.ts'
import { keepStanding } from '../../src/repository/standing.ts'
import { putTrash } from '../../src/repository/trash.ts'
import { SeveralStores, storesOf } from '../../src/stores/several.ts'
import type { Store } from '../../src/stores/store.ts'
import { sha256 } from './bytes.ts'
import { keys, otherKeys } from './engine.ts'
import { MemoryStore } from './memory-store.ts'
import { backUpIn, Databases, environmentOf, GRACE, HOUR, keysOfTwo, readBack, SETS } from './model-run.ts'
import { Announced, StoreModel } from './store-model.ts'
import { Place, type Runner, STALE, Violation, World } from './world.ts'

const START = Date.UTC(2026, 10, 22, 17)

/** The parts of the algorithm, each of which may be left out to see whether the model notices. */
interface Without {
  grace?: boolean
  references?: boolean
  /** Seeing that snapshots are missing. */
  missing?: boolean
}

export interface SimulationOptions {
  seed: number
  steps: number
  store?: (now: () => Date) => Store
  without?: Without
  /** Others have the store as well: prunes with another key, and forged trash. */
  shared?: boolean
  /**
   * Runs differ: some seal to one more recipient, read a sample of what they reuse, make safety backups, or back up to a second store, to
   * which snapshots are copied as well; snapshots are labelled, and disks damage chunks.
   */
  varied?: boolean
}

/** Throws at the first state that must never occur, with the seed and what happened before; otherwise how often each thing was done. */
export async function simulate({ seed, steps, store = (now) => new MemoryStore(now), without = {}, shared = false, varied = false }: SimulationOptions): Promise<Record<string, number>> {
  const world = new World({ seed, start: START, faults: 0.03 })
  const announced = new Announced()
  const siteOf = (open: (now: () => Date) => Store): Site => {
    const model = new StoreModel(announced, STALE)
    const place = new Place(world, { store: open(() => new Date(world.time)), onPut: (key, bytes) => model.put(key, bytes), onDelete: (key) => model.delete(key, world.time) })
    return { place, model, deleting: new Set() }
  }
  const [main, other] = [siteOf(store), siteOf((now) => new MemoryStore(now))]
  const { place, model } = main
  const pick = <T>(things: readonly T[]): T => things[Math.floor(world.random() * things.length)]!
  const done: Record<string, number> = Object.fromEntries(COUNTED.map((name) => [name, 0]))
  const databases = new Databases(world)
  /** Others forge trash. */
  let forged = 0

  const backup = (ofDatabase: string) => async (runner: Runner): Promise<void> => {
    const { now } = runner
    const sites = varied && world.random() < 0.2 ? [main, other] : [main]
    const views = sites.map((site) => runner.view(site.place))
    const seen = views.length === 1 ? views[0]! : new SeveralStores(views, new AbortController().signal, () => undefined)
    const began = world.time
    const atOnce = pick([1, 1, 2, 4])
    const safety = varied && world.random() < 0.15
    const set = safety ? safetySetOf(ofDatabase) : ofDatabase
    for (const view of views) await openOrMakeRepository(view)
    const { key, writer, readings, looked, damage } = await backUpIn(seen, {
      world, runner, set, tables: databases.next(ofDatabase), own: varied && world.random() < 0.3 ? keysOfTwo : keys,
      atOnce, sampled: varied && world.random() < 0.5,
      announce: (key, content) => void announced.snapshots.set(key, content), ...(safety && { until: new Date(now().getTime() + 48 * HOUR) }),
    })
    for (const [index, { model: of }] of sites.entries()) {
      const wrong = damage[index]?.find((error) => of.chunks.has(error.key) && !of.damaged.has(error.key))
      if (wrong) throw new Violation(`a chunk of ${set} that is read back is damaged: ${wrong.message}`)
      const bad = of.knownDamaged(key, began)
      if (bad !== undefined) throw new Violation(`${key} exists, but ${bad}, which it lists, was known to be damaged when its backup began`)
    }
    const counts = {
      backup: 1, safeties: Number(safety), parallel: Number(atOnce > 1), several: sites.length - 1, readAgain: readings - 1,
      lastLooks: Number(looked), sampled: damage.length, resealed: writer.forRecipients.chunks, adopted: writer.adopted.chunks,
    }
    for (const [name, count] of Object.entries(counts)) done[name]! += count
    for (const view of storesOf(seen)) {
      await proveSnapshot(view, keys, { snapshot: idOf(key), set, time: now(), level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
      if (varied) await renewRecoveryFiles(view)
      if (varied) await keepStanding(view, keys, { set, command: 'backup', now: now() }, pick(['good', 'failed']))
    }
  }

  const prune = (policy: string, set: string, { by = keys, site = main } = {}) => async (runner: Runner): Promise<void> => {
    const { now } = runner
    const began = world.time
    const view = runner.view(site.place)
    const seen = { ...view, delete: (key: string) => hurriedly(runner, view, key) }
    site.deleting.add(runner)
    const options = { signal: new AbortController().signal, parallel: 3, now, onDamaged: (error: Error): void => notIf(!shared, error) }
    const references = await readReferences(seen, by, options)
    const empty = references.snapshots.length + references.unreadable.length === 0
    if (!without.missing && (references.missing.length > 0 || empty)) {
      done['refused']!++
      // A proof whose snapshot was deleted when a verification of it was killed: told so, the user forces it.
      if (empty || references.missing.some((key) => site.model.snapshots.has(key))) return
    }
    const pruning = { destination: 'memory', set, policy: parseRetention(policy, Error), timeZone: 'UTC', grace: without.grace ? HOUR : GRACE, minimumPart: 0, dryRun: false, most: { part: 1 }, force: false }
    const best = varied ? bestOf(site.model, set, began) : undefined
    // Without the damage that the real decision looks for, steps are better spent on what may meet.
    const own = references.snapshots.filter((one) => one.authentic && one.set === set).map((one) => ({ ...one, pinned: false, drilled: false, verified: false, damaged: false }))
    const decisions = varied ? await decide(seen, by, references, pruning, environmentOf(now)) : retain(own, pruning.policy, 'UTC', now())
    const going = decisions.filter(({ keep }) => !keep).map(({ snapshot: { key } }) => key)
    const pinned = going.find((key) => !site.model.forgotten.has(key) && (site.model.pinned.get(key) ?? Infinity) < began - STALE)
    if (pinned !== undefined) throw new Violation(`${pinned} is pinned, and a prune would delete it: it is deleted, but snapshots that are pinned stay`)
    const isBest = best !== undefined && bestOf(site.model, set, began) === best
    const keepsBetter = decisions.some(({ keep, snapshot: { key } }) => keep && key > best! && site.model.proven.has(key))
    if (isBest && going.includes(best) && !keepsBetter) throw new Violation(`${best} is the newest of ${set} that is good, and a prune would delete it`)
    await deleteUnneeded(seen, by, without.references ? new Forgetful(references.asOf) : references, going, { ...pruning, ...options }, environmentOf(now).report)
    site.deleting.delete(runner)
    done['prune']!++
    done['snapshotsDeleted']! += going.length
  }

  const restore = (key: string, site = main) => async (runner: Runner): Promise<void> => {
    const seen = runner.view(site.place)
    await expectWhole(seen, key, site.model)
    done['restore']!++
    if (!varied) return
    const set = key.split('/')[1]!
    await keepRestoreTime(seen, keys, set, { time: runner.now().toISOString(), snapshot: idOf(key), mode: 'empty', machine: '', seconds: 1, sources: [{ name: '0', bytes: 1, seconds: 1 }] })
    // It may have been written while this one stood still.
    await readRestoreTime(seen, keys, set, { now: runner.now(), onDamaged: (error) => notIf(!/refused: |dated in the future/.test(error.message), error) })
  }

  /** Someone deletes a snapshot, without a look at the trash. */
  const forget = (key: string) => async (runner: Runner): Promise<void> => {
    const seen = runner.view(place)
    const set = key.split('/')[1]!
    model.forgotten.add(key)
    main.deleting.add(runner)
    if (varied) await carryDamage(seen, keys, set, { going: [idOf(key)], staying: (await snapshotKeys(seen, set)).filter((one) => one !== key) }, runner.now)
    await forgetSnapshot(seen, set, idOf(key))
    main.deleting.delete(runner)
    done['forget']!++
  }

  /** Pins a snapshot, and perhaps gives it tags; or takes the pin away. */
  const label = (key: string) => async (runner: Runner): Promise<void> => {
    const pinned = world.random() < 0.8 && !unpinned.has(key)
    if (!pinned) {
      unpinned.add(key)
      model.pinned.delete(key)
    }
    await putLabels(runner.view(place), keys, key.split('/')[1]!, idOf(key), { pinned, tags: pick([null, ['kept'], []]) })
    if (pinned && !unpinned.has(key)) model.pinned.set(key, world.time)
    done['labelled']!++
  }
  /** A pin that is put once more later would pin it again: whether such a one is pinned nobody can tell. */
  const unpinned = new Set<string>()

  /** Reads every byte of a snapshot, and writes down what was found. */
  const verify = (key: string, { place: at, model: of, deleting }: Site) => async (runner: Runner): Promise<void> => {
    const seen = runner.view(at)
    const set = key.split('/')[1]!
    const before = of.snapshots.get(key)?.lists.filter((chunk) => of.damaged.has(chunk)) ?? []
    const snapshot = await readAuthentic(seen, key, keys)
    const proofs = await SetProofs.list(seen, keys, set, (error) => notIf(!shared, error))
    const suspects = await proofs.damagedSince(new Date(snapshot.header.time))
    const reader = new Reader(seen, snapshot.keys, snapshot.header.chunks)
    const damaged = (await damagedAmong(reader, [...snapshot.header.chunks.keys()])).map((error) => error.key)
    if (of.snapshots.has(key) && !of.isTouched(key)) {
      const wrong = damaged.find((chunk) => !of.damaged.has(chunk) && !before.includes(chunk))
      if (wrong !== undefined) throw new Violation(`${key} does not verify: ${wrong} is damaged or missing`)
      const missed = before.find((chunk) => of.damaged.has(chunk))
      if (missed !== undefined && damaged.length === 0) throw new Violation(`${key} verifies, although ${missed} is damaged`)
    }
    const read = new Set(snapshot.header.chunks.map(([id, , , , mark]) => chunkKey(id, mark)))
    const good = [...suspects].filter((chunk) => read.has(chunk) && !damaged.includes(chunk))
    const result = damaged.length > 0 ? 'failed' : 'verified'
    await proveSnapshot(seen, keys, { snapshot: idOf(key), set, time: runner.now(), level: pick(['read', 'drill']), result, seconds: 1, bytes: 1, damaged, good, problems: [], versions: {}, run: null })
    done['verified']!++
    if (!of.snapshots.has(key) || of.isTouched(key)) return
    if (result === 'verified') of.verified.set(key, world.time)
    else of.verified.delete(key)
    // A prune that has read the proofs already may take this one with its snapshot.
    const pruned = [...deleting].some(({ ended }) => !ended)
    for (const chunk of damaged) if (!pruned && of.damaged.has(chunk) && !of.knownDamage.has(chunk)) of.knownDamage.set(chunk, world.time)
  }

  /** No snapshot that is known to be damaged may be called good. */
  const check = (set: string, { place: at, model: of }: Site) => async (runner: Runner): Promise<void> => {
    const began = world.time
    const [fresh] = await freshnessOf(runner.view(at), keys, set, { level: 'list', now: runner.now(), onDamaged: () => undefined })
    done['checked']!++
    const key = fresh?.verified && snapshotKey(set, fresh.verified.snapshot)
    const bad = key === undefined ? undefined : of.knownDamaged(key, began)
    if (bad !== undefined && !of.isTouched(key!)) throw new Violation(`${key} is called good, and ${bad}, which it lists, is known to be damaged`)
    const missing = key === undefined ? undefined : of.snapshots.get(key)?.lists.find((chunk) => !of.chunks.has(chunk))
    if (missing !== undefined) throw new Violation(`${key} is called good, and ${missing}, which it lists, does not exist`)
  }

  /** To the other store, and from the time of its last look on without a stop of hours. */
  const copy = (key: string) => async (runner: Runner): Promise<void> => {
    const [from, view] = [runner.view(place), runner.view(other.place)]
    const began = world.time
    let looks = 0
    const to: Store = { ...view, list: (prefix) => {
      if (prefix === 'trash/') runner.hurried = ++looks > 1
      return view.list(prefix)
    } }
    await openOrMakeRepository(to)
    await copyKeyFiles(from, to, new Set([keys.fingerprint]))
    const damage = await CopiedDamage.of(from, to, keys, key.split('/')[1]!, ignore)
    const known = [...model.knownDamage].filter(([, since]) => since < began - 2 * STALE).map(([chunk]) => chunk)
    await copySnapshot(key, { from, to, keys, signal: new AbortController().signal, now: runner.now, grace: GRACE, damage, onDamaged: ignore, onBytes: ignore })
    runner.hurried = false
    done['copied']!++
    const { lists = [] } = other.model.snapshots.get(key) ?? {}
    const pruned = [...other.deleting].some(({ ended }) => !ended)
    for (const chunk of known) {
      if (lists.includes(chunk) && other.model.damaged.has(chunk) && !pruned && !other.model.knownDamage.has(chunk)) other.model.knownDamage.set(chunk, world.time)
    }
  }

  /** A disk changes a chunk object. */
  const damage = ({ place: { store: at }, model: of }: Site): void => {
    const key = pick([...of.chunks])
    const object = at instanceof MemoryStore ? at.objects.get(key) : undefined
    if (!object || of.damaged.has(key)) return
    object.bytes[Math.floor(world.random() * object.bytes.length)]! ^= 1
    of.damaged.add(key)
    announced.damagedSums.add(sha256(object.bytes))
    world.tell(`${key} is damaged`)
    done['damaged']!++
  }

  /** Put back by whoever synchronises the store with a copy of it, within a quarter of the grace. */
  const reappear = async (): Promise<void> => {
    const [last] = model.deleted.splice(-1)
    if (!last || world.time - last.time > GRACE / 4) return
    world.tell(`${last.key} reappears`)
    model.reappeared.add(last.key)
    await place.put(last.key, last.bytes)
    await model.settle()
    done['reappeared']!++
  }

  /** Someone moves all snapshots away, and puts them back after days. Those without a proof nobody could miss. */
  let [back, again] = [0, without.missing ? 60 : 300]
  const move = async (): Promise<void> => {
    const all = [...model.snapshots.keys()]
    if (all.length === 0 || model.moved.size > 0 || world.steps < again || !all.every((key) => model.proven.has(key))) return
    world.tell('the snapshots are moved away')
    for (const key of all) {
      await place.store.delete(key)
      model.moved.add(key)
    }
    back = world.time + (without.missing ? 150 : 60) * HOUR
    again = world.steps + (without.missing ? 60 : 1500)
    done['moved']!++
  }
  const putBack = async (): Promise<void> => {
    world.tell('the snapshots are put back')
    for (const key of model.moved) if (model.snapshots.has(key) && !model.isGivenUp(key)) await place.store.put(key, model.bytesOf(key))
    for (const key of model.moved) if (model.isGivenUp(key)) model.snapshots.delete(key)
    model.moved.clear()
  }

  /** Names every chunk there is, and claims to be years old. */
  const forge = async (): Promise<void> => {
    const chunks = [...model.chunks].map((key) => key.slice('chunks/aa/'.length))
    const id = `20200101T000000Z-${String(++forged).padStart(8, '0')}`
    if (world.random() < 0.5) await putTrash(place.store, otherKeys, id, chunks)
    else await place.store.put(`trash/${id}.json`, Buffer.concat([Buffer.from(`lifeboat/1 ${keys.fingerprint} ${'0'.repeat(64)}\n`), Buffer.from(JSON.stringify({ format: 'lifeboat/1', trash: id, chunks }))]))
    world.tell('trash is forged')
  }

  const begin = async (name: string): Promise<void> => {
    // Only runs that differ do what comes last.
    const chance = world.random() * (varied ? 1 : 0.76)
    const existing = [...model.snapshots.keys()]
    const copies = [...other.model.snapshots.keys()]
    const policy = pick(['last=1', 'last=2', 'last=1', 'daily=2', 'within=1d', ...(varied ? ['drilled=1'] : [])])
    const start = (what: string, work: (runner: Runner) => Promise<void>): void => world.start(`${what} ${name}`, work)
    if (chance < 0.36 || existing.length === 0) {
      const set = pick(SETS)
      start(`backup ${set}`, backup(set))
    } else if (chance < 0.62) {
      start(`prune ${policy}`, prune(policy, pick(SETS), shared && world.random() < 0.4 ? { by: otherKeys } : {}))
    } else if (chance < 0.7) {
      start('restore', restore(pick(existing)))
    } else if (chance < 0.71) {
      await reappear()
    } else if (chance < 0.72) {
      await move()
    } else if (chance < 0.74) {
      const older = existing.filter((key) => existing.some((one) => one.split('/')[1] === key.split('/')[1] && one > key))
      if (older.length > 0) start('forget', forget(pick(older)))
    } else if (!varied) {
      start('verify', verify(pick(existing), main))
    } else if (chance < 0.77) {
      start('label', label(pick(existing)))
    } else if (chance < 0.84) {
      const site = pick([main, other])
      if (site.model.snapshots.size > 0) start('verify', verify(pick([...site.model.snapshots.keys()]), site))
    } else if (chance < 0.88) {
      start('check', check(pick(SETS), pick([main, other])))
    } else if (chance < 0.92) {
      start('copy', copy(pick(existing)))
    } else if (chance < 0.95) {
      // Nobody may copy to a store that two prunes work on.
      if ([...other.deleting].every(({ ended }) => ended)) start(`prune copies ${policy}`, prune(policy, pick(SETS), { site: other }))
    } else if (copies.length > 0 && chance < 0.97) {
      start('restore a copy', restore(pick(copies), other))
    } else {
      damage(pick([main, main, other]))
    }
  }

  let runs = 0
  try {
    await place.put(`keys/${keys.fingerprint}.age`, Buffer.from('under a passphrase'))
    while (world.steps < steps) {
      if (world.running < 4 && world.random() < 0.15) {
        await begin(`${++runs}`)
        if (without.missing) await move()
        if (shared && world.random() < 0.1) await forge()
        if (world.random() < 0.3) world.pass(30 * HOUR)
      }
      await world.step()
      await model.settle()
      await other.model.settle()
      if (model.moved.size > 0 && world.time > back) await putBack()
    }
    await putBack()
    for (const { place: at, model: of } of [main, other]) for (const key of of.snapshots.keys()) await expectWhole(at.store, key, of)
  } catch (error) {
    throw new Error(`seed ${seed}, step ${world.steps}: ${error instanceof Error ? error.message : String(error)}\n${world.log.join('\n')}`, { cause: error })
  }
  return { ...done, chunksDeleted: model.chunksDeleted }
}

/** A store and its model, and the runs that have begun to delete there. */
interface Site {
  place: Place
  model: StoreModel
  deleting: Set<Runner>
}

const COUNTED = [
  'backup', 'prune', 'restore', 'forget', 'reappeared', 'snapshotsDeleted', 'lastLooks', 'adopted', 'moved', 'refused', 'sampled', 'labelled', 'safeties', 'resealed',
  'parallel', 'several', 'readAgain', 'verified', 'checked', 'copied', 'damaged',
]

/** The newest snapshot of a set of which every byte was found good, long enough ago for each listing to show the proof, and that is good. */
function bestOf(model: StoreModel, set: string, time: number): string | undefined {
  const good = [...model.verified].filter(([key, since]) => key.startsWith(`snapshots/${set}/`) && since < time - 2 * STALE && !model.isTouched(key))
  return good.map(([key]) => key).filter((key) => !model.snapshots.get(key)!.lists.some((chunk) => model.damaged.has(chunk))).toSorted().at(-1)
}

function ignore(): void {}

function notIf(wrong: boolean, error: Error): void {
  if (wrong) throw new Violation(`a prune finds damage: ${error.message}`, { cause: error })
}

/** Nor can a prune's machine stop for hours after it has looked at the clock and before a snapshot is gone. */
async function hurriedly(runner: Runner, view: Store, key: string): Promise<void> {
  runner.hurried = key.startsWith('snapshots/')
  await view.delete(key)
  runner.hurried = false
}

/** Reads a snapshot back whole; one that was deleted meanwhile need not be. */
async function expectWhole(store: Store, key: string, model: StoreModel): Promise<void> {
  const { content: expected, lists = [] } = model.snapshots.get(key) ?? {}
  const damaged = lists.filter((chunk) => model.damaged.has(chunk))
  try {
    const found = await readBack(store, key)
    if (!isDeepStrictEqual(found, expected)) throw new Violation(`${key} gives back something else`)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof Violation && model.snapshots.has(key)) throw error
    if (/refused: |answer lost: /.test(message) || !model.snapshots.has(key) || model.moved.has(key)) return
    if (error instanceof DamagedChunk && (model.damaged.has(error.key) || damaged.includes(error.key))) return
    // A listing may not show it yet.
    if (/has no snapshot|but no snapshot|none of its snapshots/.test(message)) return
    throw new Violation(`${key} does not restore: ${message}`, { cause: error })
  }
}

/** As if nothing were looked up before chunks in the trash are deleted. */
class Forgetful extends References {
  override has(): boolean {
    return false
  }

  override without(): () => boolean {
    return () => false
  }
}

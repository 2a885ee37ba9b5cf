// Backups, restores and prunes by several machines at the same time, one store operation after the other in an order that a seed decides, with
// kills, lost answers, repeated puts, stale listings and clocks that differ; against a plain model. These hold at every moment: every
// snapshot that exists restores byte for byte (docs/architecture.md, invariant 4), no set loses its newest snapshot, and no prune deletes one
// that is pinned.
import { isDeepStrictEqual } from 'node:util'
import { parseRetention } from '../../src/inputs/retention.ts'
import { findSnapshot, idOf, snapshotKeys } from '../../src/repository/catalog.ts'
import { collectGarbage } from '../../src/repository/garbage.ts'
import { forgetSnapshot } from '../../src/repository/forget.ts'
import { type KnownChunks, loadKnown } from '../../src/repository/known.ts'
import { putLabels, readLabels } from '../../src/repository/labels.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { lastLook } from '../../src/repository/last-look.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { Reader } from '../../src/repository/reader.ts'
import { parseProofKey, proveSnapshot } from '../../src/repository/proofs.ts'
import { readReferences, References } from '../../src/repository/references.ts'
import { retain } from '../../src/repository/retention.ts'
import { isSafetySet, safetySetOf } from '../../src/repository/safety-set.ts'
import { SampledCheck, sampleOf } from '../../src/repository/sampled-check.ts'
import { chunkKey, decodeSnapshot, newSnapshotId, openManifest, snapshotKey, type SourceRecord } from '../../src/repository/snapshot.ts'
import { beginRun } from '../../src/repository/unfinished.ts'
import { putTrash } from '../../src/repository/trash.ts'
import { Writer } from '../../src/repository/writer.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, changed, noise, sha256 } from './bytes.ts'
import { identity, keys, otherKeys } from './engine.ts'
import { MemoryStore } from './memory-store.ts'
import { type Runner, STALE, Violation, World } from './world.ts'

const START = Date.UTC(2026, 10, 22, 17)
const HOUR = 3_600_000
const GRACE = 24 * HOUR

/** Backups with these can be read by somebody else as well. */
const keysOfTwo = await openKeys(identity, { store: new MemoryStore(), recipients: [(await newIdentity()).recipient], create: false })

/** The parts of the algorithm, each of which may be left out to see whether the model notices. */
export interface Without {
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
  /** Runs differ: some seal to one more recipient, read a sample of what they reuse, or make safety backups; snapshots are pinned. */
  varied?: boolean
}

/** The plain model: which snapshots exist, what each lists, and what it must give back. */
class Model {
  readonly chunks = new Map<string, string>()
  readonly snapshots = new Map<string, { lists: string[]; content: Record<string, string> }>()
  chunksDeleted = 0
  readonly forgotten = new Set<string>()
  /** Moved away by someone, to be put back; not deleted. */
  readonly moved = new Set<string>()
  readonly proven = new Set<string>()
  /** When each was pinned. */
  readonly pinned = new Map<string, number>()
  /** Deleted by a prune, with the bytes they had, to be put back. */
  readonly deleted: { key: string; bytes: Uint8Array; content: Record<string, string>; time: number }[] = []
  readonly #objects = new Map<string, Uint8Array>()
  readonly #announced = new Map<string, Record<string, string>>()
  #checks: Promise<void>[] = []

  /** The objects that a backup is about to put. */
  announce(key: string, content: Record<string, string>): void {
    this.#announced.set(key, content)
  }

  put(key: string, bytes: Uint8Array): void {
    this.#prove(key, true)
    if (key.startsWith('chunks/')) {
      const sum = sha256(bytes)
      if ((this.chunks.get(key) ?? sum) !== sum) throw new Violation(`${key} is replaced by something else`)
      this.chunks.set(key, sum)
    } else if (key.startsWith('snapshots/')) {
      this.#objects.set(key, bytes)
      this.#checks.push(this.#snapshot(key, bytes))
    }
  }

  async #snapshot(key: string, bytes: Uint8Array): Promise<void> {
    const { header } = await decodeSnapshot(key, Buffer.from(bytes), keys)
    const lists = header.chunks.map(([id, , , , mark]) => chunkKey(id, mark))
    this.snapshots.set(key, { lists, content: this.#announced.get(key)! })
    const missing = lists.find((chunk) => !this.chunks.has(chunk))
    if (missing !== undefined) throw new Violation(`${key} exists, but ${missing}, which it lists, does not`)
  }

  /** Throws what was found wrong with what was put. */
  async settle(): Promise<void> {
    await Promise.all(this.#checks.splice(0))
  }

  #prove(key: string, proven: boolean): void {
    const proof = parseProofKey(key)
    if (!proof) return
    if (proven) this.proven.add(snapshotKey(proof.set, proof.snapshot))
    else this.proven.delete(snapshotKey(proof.set, proof.snapshot))
  }

  /** Moved away, and deleted meanwhile by itself or by a policy: nobody puts it back. */
  isGivenUp(key: string): boolean {
    return this.moved.has(key) && (this.forgotten.has(key) || !this.proven.has(key))
  }

  bytesOf(key: string): Uint8Array {
    return this.#objects.get(key)!
  }

  delete(key: string, time: number): void {
    this.#prove(key, false)
    const snapshot = this.snapshots.get(key)
    if (snapshot) {
      const newer = [...this.snapshots.keys()].some((other) => other.split('/')[1] === key.split('/')[1] && other > key)
      if (!newer && !isSafetySet(key.split('/')[1]!)) throw new Violation(`${key}, the newest of its set, is deleted`)
      this.snapshots.delete(key)
      this.pinned.delete(key)
      if (!this.forgotten.has(key)) this.deleted.push({ key, bytes: this.#objects.get(key)!, content: snapshot.content, time })
    }
    if (!this.chunks.delete(key)) return
    this.chunksDeleted++
    const needing = [...this.snapshots].find(([snapshot, { lists }]) => lists.includes(key) && !this.isGivenUp(snapshot))
    if (needing) throw new Violation(`${key} is deleted, but ${needing[0]} lists it`)
  }
}

/** Throws at the first state that must never occur, with the seed and what happened before; otherwise how often each thing was done. */
export async function simulate({ seed, steps, store = (now) => new MemoryStore(now), without = {}, shared = false, varied = false }: SimulationOptions): Promise<Record<string, number>> {
  const model = new Model()
  const world = new World({ store, seed, start: START, faults: 0.03, onPut: (key, bytes) => model.put(key, bytes), onDelete: (key) => model.delete(key, world.time) })
  const pick = <T>(things: readonly T[]): T => things[Math.floor(world.random() * things.length)]!
  const done: Record<string, number> = { backup: 0, prune: 0, restore: 0, forget: 0, reappeared: 0, snapshotsDeleted: 0, lastLooks: 0, adopted: 0, moved: 0, refused: 0, sampled: 0, pinned: 0, safeties: 0, resealed: 0 }
  /** The content of the databases now: tables that change now and then, and one large enough for differences. */
  const databases = new Map(['app', 'shop'].map((set) => [set, { tables: [noise(`${set}-0`, 900), noise(`${set}-1`, 900), noise(`${set}-2`, 900), noise(`${set}-large`, 200_000)] }]))
  let changes = 0

  const backup = (ofDatabase: string) => async (runner: Runner): Promise<void> => {
    const { store: seen, now } = runner
    const slow = world.random() < 0.2
    const started = now()
    const database = databases.get(ofDatabase)!
    const place = Math.floor(world.random() * database.tables.length)
    database.tables[place] = place === 3 ? changed(database.tables[3]!, 60_000, `change ${++changes}`) : noise(`${ofDatabase} ${seed} ${++changes}`, 900)
    const tables = [...database.tables]
    const own = varied && world.random() < 0.3 ? keysOfTwo : keys
    const safety = varied && world.random() < 0.15
    const set = safety ? safetySetOf(ofDatabase) : ofDatabase
    const known = await loadKnown(seen, own, set, () => undefined)
    const check = varied && world.random() < 0.5 ? sampledCheck(known, runner) : undefined
    const id = newSnapshotId(started, Buffer.from(Array.from({ length: 4 }, () => Math.floor(world.random() * 256))))
    const snapshots = new Set((await snapshotKeys(seen, set)).map(idOf))
    const unfinished = await beginRun(seen, own, { set, id, snapshots, grace: GRACE, now, onDamaged: () => undefined })
    const writer = new Writer({ store: seen, keys: own, known, unfinished, compression: 1, mark: id.slice(-8), jobs: 1, signal: new AbortController().signal, onDamaged: () => undefined })
    const sources: SourceRecord[] = []
    for (const [index, table] of tables.entries()) {
      const slowly = async function* (): AsyncGenerator<Buffer> {
        await runner.pause(slow ? 40 * HOUR : HOUR / 4)
        yield table
      }
      sources.push({ name: `${index}`, kind: 'postgres', streams: [await writer.stream(`${index}`, 'pg_dump-custom', slowly(), () => undefined)], facts: {} })
      await writer.settled()
    }
    if (check) {
      await check.end()
      done['sampled']!++
      if (check.damage.length > 0) throw new Violation(`a chunk of ${set} that is read back is damaged: ${check.damage[0]!.message}`)
    }
    runner.hurried = true
    const { chunks: adopted, since } = writer.adopted
    const elapsed = now().getTime() - Math.min(started.getTime(), since?.getTime() ?? Infinity)
    if (elapsed >= GRACE / 2) done['lastLooks']!++
    await lastLook(seen, keys, { chunks: writer.listed(), elapsed, grace: GRACE, now: now() })
    model.announce(snapshotKey(set, id), Object.fromEntries(tables.map((table, index) => [`${index}`, sha256(table)])))
    await writer.commit({ format: 'lifeboat/1', id, set, time: started.toISOString(), tags: [], ...(safety && { until: new Date(started.getTime() + 48 * HOUR).toISOString() }) }, { sources, description: '', run: null, lifeboat: '0' })
    done['backup']!++
    if (safety) done['safeties']!++
    done['resealed']! += writer.forRecipients.chunks
    done['adopted']! += adopted
    runner.hurried = false
    await proveSnapshot(seen, keys, { snapshot: id, set, time: now(), level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
  }

  const prune = (policy: string, sets: string[], by = keys) => async (runner: Runner): Promise<void> => {
    const { now } = runner
    const began = world.time
    const seen = { ...runner.store, delete: (key: string) => hurriedly(runner, key) }
    const options = { signal: new AbortController().signal, parallel: 3, now, onDamaged: (error: Error) => notIf(!shared, error) }
    const references = await readReferences(seen, by, options)
    const empty = references.snapshots.length + references.unreadable.length === 0
    if (!without.missing && (references.missing.length > 0 || empty)) {
      done['refused']!++
      // A proof whose snapshot was deleted when a verification of it was killed: told so, the user forces it.
      if (empty || references.missing.some((key) => model.snapshots.has(key))) return
    }
    const labels = varied ? await readLabels(seen, keys) : undefined
    const candidates = references.snapshots.filter(({ authentic, set }) => authentic && (sets.includes(set) || (varied && isSafetySet(set)))).map((snapshot) => ({ ...snapshot, pinned: labels?.get(snapshot.id)?.pinned ?? false, drilled: false, verified: false }))
    const going = retain(candidates, parseRetention(policy, Error), 'UTC', now()).filter(({ keep }) => !keep).map(({ snapshot: { key } }) => key)
    const pinned = going.find((key) => !model.forgotten.has(key) && (model.pinned.get(key) ?? Infinity) < began - STALE)
    if (pinned !== undefined) throw new Violation(`${pinned} is pinned, and a prune would delete it: it is deleted, but snapshots that are pinned stay`)
    const grace = without.grace ? 0 : GRACE
    await collectGarbage(seen, by, without.references ? new Forgetful(references.asOf) : references, new Set(going), { ...options, grace, dryRun: false })
    done['prune']!++
    done['snapshotsDeleted']! += going.length
  }

  const restore = (key: string) => async ({ store: seen }: Runner): Promise<void> => {
    await expectWhole(seen, key, model)
    done['restore']!++
  }

  /** Someone deletes a snapshot, without a look at the trash. */
  const forget = (key: string) => async ({ store: seen }: Runner): Promise<void> => {
    const [, set, name] = key.split('/')
    model.forgotten.add(key)
    await forgetSnapshot(seen, set!, name!.slice(0, -'.json.zst'.length))
    done['forget']!++
  }

  const pin = (key: string) => async ({ store: seen }: Runner): Promise<void> => {
    const [, set, name] = key.split('/')
    await putLabels(seen, keys, set!, name!.slice(0, -'.json.zst'.length), { pinned: true, tags: null })
    model.pinned.set(key, world.time)
    done['pinned']!++
  }

  const sampledCheck = (known: KnownChunks, { store: seen }: Runner): SampledCheck => {
    const chunks = (known.newest?.chunks ?? []).filter((chunk) => chunk !== undefined)
    const check = new SampledCheck(seen, keys, sampleOf(chunks, {}, world.random), new AbortController().signal)
    known.checkWith([check])
    return check
  }

  /** Put back by whoever synchronises the store with a copy of it, within a quarter of the grace. */
  const reappear = async (): Promise<void> => {
    const [last] = model.deleted.splice(-1)
    if (!last || world.time - last.time > GRACE / 4) return
    world.tell(`${last.key} reappears`)
    model.announce(last.key, last.content)
    await world.put(last.key, last.bytes)
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
      await world.store.delete(key)
      model.moved.add(key)
    }
    back = world.time + (without.missing ? 150 : 60) * HOUR
    again = world.steps + (without.missing ? 60 : 1500)
    done['moved']!++
  }
  const putBack = async (): Promise<void> => {
    world.tell('the snapshots are put back')
    for (const key of model.moved) if (model.snapshots.has(key) && !model.isGivenUp(key)) await world.store.put(key, model.bytesOf(key))
    for (const key of model.moved) if (model.isGivenUp(key)) model.snapshots.delete(key)
    model.moved.clear()
  }

  /** Names every chunk there is, and claims to be years old. */
  const forge = async (): Promise<void> => {
    const chunks = [...model.chunks.keys()].map((key) => key.slice('chunks/aa/'.length))
    const id = `20200101T000000Z-${String(++changes).padStart(8, '0')}`
    if (world.random() < 0.5) await putTrash(world.store, otherKeys, id, chunks)
    else await world.store.put(`trash/${id}.json`, Buffer.concat([Buffer.from(`lifeboat/1 ${keys.fingerprint} ${'0'.repeat(64)}\n`), Buffer.from(JSON.stringify({ format: 'lifeboat/1', trash: id, chunks }))]))
    world.tell('trash is forged')
  }

  let runs = 0
  try {
    while (world.steps < steps) {
      if (world.running < 4 && world.random() < 0.15) {
        const name = `${++runs}`
        const chance = world.random()
        const existing = [...model.snapshots.keys()]
        if (chance < 0.45) {
          const set = pick(['app', 'shop'])
          world.start(`backup ${set} ${name}`, backup(set))
        } else if (varied && chance < 0.5 && existing.length > 0) {
          world.start(`pin ${name}`, pin(pick(existing)))
        } else if (chance < 0.85) {
          const policy = pick(['last=1', 'last=2', 'last=1', 'daily=2', 'within=1d'])
          const by = shared && world.random() < 0.4 ? otherKeys : keys
          world.start(`prune ${policy} ${name}`, prune(policy, pick([['app'], ['shop'], ['app', 'shop']]), by))
        } else if (chance < 0.95 && existing.length > 0) {
          world.start(`restore ${name}`, restore(pick(existing)))
        } else if (chance < 0.96) {
          await reappear()
        } else if (chance < 0.975) {
          await move()
        } else {
          const older = existing.filter((key) => existing.some((other) => other.split('/')[1] === key.split('/')[1] && other > key))
          if (older.length > 0) world.start(`forget ${name}`, forget(pick(older)))
        }
        if (without.missing) await move()
        if (shared && world.random() < 0.1) await forge()
        if (world.random() < 0.3) world.pass(30 * HOUR)
      }
      await world.step()
      await model.settle()
      if (model.moved.size > 0 && world.time > back) await putBack()
    }
    await putBack()
    for (const key of model.snapshots.keys()) await expectWhole(world.store, key, model)
  } catch (error) {
    throw new Error(`seed ${seed}, step ${world.steps}: ${error instanceof Error ? error.message : String(error)}\n${world.log.join('\n')}`, { cause: error })
  }
  return { ...done, chunksDeleted: model.chunksDeleted }
}

function notIf(wrong: boolean, error: Error): void {
  if (wrong) throw new Violation(`a prune finds damage: ${error.message}`, { cause: error })
}

/** Nor can a prune's machine stop for hours after it has looked at the clock and before a snapshot is gone. */
async function hurriedly(runner: Runner, key: string): Promise<void> {
  runner.hurried = key.startsWith('snapshots/')
  await runner.store.delete(key)
  runner.hurried = false
}

/** Reads a snapshot back whole; one that was deleted meanwhile need not be. */
async function expectWhole(store: Store, key: string, model: Model): Promise<void> {
  const [, set, name] = key.split('/')
  const expected = model.snapshots.get(key)?.content
  try {
    const snapshot = await findSnapshot(store, keys, set!, { kind: 'id', id: name!.slice(0, -'.json.zst'.length) })
    const { sources } = await openManifest(snapshot)
    const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
    const found: Record<string, string> = {}
    for (const source of sources) found[source.name] = sha256(Buffer.concat(await all(reader.stream(source.streams[0]!))))
    if (!isDeepStrictEqual(found, expected)) throw new Violation(`${key} gives back something else`)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof Violation && model.snapshots.has(key)) throw error
    if (/refused: |answer lost: /.test(message) || !model.snapshots.has(key) || model.moved.has(key)) return
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

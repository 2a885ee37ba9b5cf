// Backups, prunes, restores and checks by workflow runs that go on at the same time, in the artifacts of one repository: the store of
// src/stores/artifact over the emulated services in this process (in-process.ts must be imported before), one request after the other in an
// order that a seed decides, with kills, lost answers, lists that lag behind and clocks that differ. Artifacts expire, people delete some,
// and others upload artifacts of the same names: of forks, copies of signed ones, and of any content. These hold at every moment: a snapshot
// restores byte for byte as long as nobody but a backup or a prune has deleted a part of it, and it is as young as promised; no prune
// deletes what a snapshot to keep needs; and nothing is called good that has lost a part.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { decide } from '../../src/commands/prune/decide.ts'
import { releaseArtifacts } from '../../src/commands/prune/free.ts'
import { parseRetention } from '../../src/inputs/retention.ts'
import { authenticatorOf } from '../../src/repository/authenticator.ts'
import { idOf } from '../../src/repository/catalog.ts'
import { freshnessOf } from '../../src/repository/freshness.ts'
import { proveSnapshot } from '../../src/repository/proofs.ts'
import { readReferences } from '../../src/repository/references.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { safetySetOf } from '../../src/repository/safety-set.ts'
import { chunkKey, decodeSnapshot, snapshotKey } from '../../src/repository/snapshot.ts'
import { ArtifactStore } from '../../src/stores/artifact/store.ts'
import { keys } from './engine.ts'
import { GitHub, type StoredArtifact } from './github/emulator.ts'
import { ways } from './github/in-process.ts'
import { filesIn } from './github/zip.ts'
import { backUpIn, Databases, environmentOf, GRACE, HOUR, keysOfTwo, readBack, SETS } from './model-run.ts'
import { type Runner, STALE, Violation, World } from './world.ts'

const START = Date.UTC(2026, 10, 22, 17)
const DAY = 24 * HOUR
/** Days that GitHub keeps an artifact, and that a snapshot is promised to be whole. */
const RETENTION = { artifact: 12, snapshot: 4, short: 0 }
const COUNTED = [
  'backup', 'prune', 'restore', 'check', 'parallel', 'parts', 'safeties', 'sampled', 'resealed', 'adopted', 'readAgain', 'proofs', 'artifactsDeleted', 'expired', 'deletedByPeople', 'lookAlikes', 'lost',
]

interface Made {
  artifact: StoredArtifact
  keys: ReadonlySet<string>
}

interface Promised {
  lists: string[]
  content: Record<string, string>
  /** When its backup began, and ended well; undefined if it did not. */
  backup: { began: number; ended: number } | undefined
  /** Since when it lacks a part. */
  lostAt: number | undefined
}

/** The plain model: which artifacts are there, and which snapshots need which. */
class Model {
  readonly made = new Map<number, Made>()
  readonly snapshots = new Map<string, Promised>()
  readonly announced = new Map<string, Record<string, string>>()
  /** Ids of artifacts that others have uploaded. */
  readonly others = new Set<number>()
  /** The snapshots that the prune did not keep which deleted the last artifact; undefined if none did. */
  deletedBy: ReadonlySet<string> | undefined
  lost = 0
  readonly #holders = new Map<string, Set<number>>()
  /** The artifacts that had each key once, and who took them away. */
  readonly #former = new Map<string, { artifact: StoredArtifact; by: 'people' | 'a prune' | 'its age' }[]>()

  add(artifact: StoredArtifact, found: ReadonlySet<string>): void {
    this.made.set(artifact.id, { artifact, keys: found })
    for (const key of found) this.#holders.set(key, (this.#holders.get(key) ?? new Set()).add(artifact.id))
  }

  remove(id: number, by: 'people' | 'a prune' | 'its age'): void {
    const { artifact, keys: held } = this.made.get(id)!
    for (const key of held) {
      this.#holders.get(key)?.delete(id)
      this.#former.set(key, [...(this.#former.get(key) ?? []), { artifact, by }])
    }
    this.made.delete(id)
  }

  missing(key: string): string | undefined {
    return [key, ...this.snapshots.get(key)!.lists].find((one) => (this.#holders.get(one)?.size ?? 0) === 0)
  }

  /** Throws unless every snapshot that has just lost a part may have lost it. */
  judge(time: number): void {
    for (const [key, snapshot] of this.snapshots) {
      const missing = snapshot.lostAt === undefined ? this.missing(key) : undefined
      if (missing === undefined) continue
      snapshot.lostAt = time
      this.lost++
      const former = this.#former.get(missing)!
      if (!snapshot.backup || former.some(({ by }) => by === 'people')) continue
      const { began, ended } = snapshot.backup
      const told = former.map(({ artifact: { name, id, created, expires }, by }) => `${name} (${id}, ${created.toISOString()} to ${expires.toISOString()}), ended by ${by}`)
      const what = `${missing} of ${told.join(' and ')}, which ${key} lists,`
      if (this.deletedBy === undefined) {
        // Clocks of machines differ.
        if (time < began + RETENTION.snapshot * DAY - HOUR) throw new Violation(`${what} has expired within ${RETENTION.snapshot} days`)
      } else if (!this.deletedBy.has(key) && ended - began < GRACE - HOUR) throw new Violation(`${what} is deleted by a prune that keeps the snapshot`)
    }
  }
}

export interface ArtifactSimulation {
  seed: number
  steps: number
  /** Parts of the algorithm that are left out, to see whether the model notices. */
  without?: { grace?: boolean }
}

/** Throws at the first state that must never occur, with the seed and what happened before; otherwise how often each thing was done. */
export async function simulateArtifacts({ seed, steps, without = {} }: ArtifactSimulation): Promise<Record<string, number>> {
  const world = new World({ seed, start: START, faults: 0.02 })
  const model = new Model()
  const github = GitHub.inMemory(() => world.time)
  github.maximumRetentionDays = RETENTION.artifact
  const temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-model-'))
  const token = github.token('write')
  const pick = <T>(things: readonly T[]): T => things[Math.floor(world.random() * things.length)]!
  const done: Record<string, number> = Object.fromEntries(COUNTED.map((name) => [name, 0]))
  const databases = new Databases(world)
  const runs = new Map<Runner, number>()
  /** Artifacts that came or went, and when, for lists that lag behind. */
  const events: { time: number; artifact: StoredArtifact; gone: boolean }[] = []
  github.lagging = () => {
    while (events[0] && events[0].time < world.time - STALE) events.shift()
    const shown = new Map(github.artifacts.map((artifact) => [artifact.id, artifact]))
    for (const { artifact, gone } of events.toReversed()) {
      if (world.random() < 0.5) continue
      if (gone) shown.set(artifact.id, artifact)
      else shown.delete(artifact.id)
    }
    return [...shown.values()].toSorted((a, b) => a.id - b.id)
  }
  /** The snapshots that the run whose turn it is does not keep. */
  let acting: ReadonlySet<string> = new Set()

  /** The store as a step of a new workflow run opens it. `set`: undefined for all. */
  const open = (runner: Runner, set: string | undefined, going: ReadonlySet<string> = new Set()): ArtifactStore => {
    const run = github.startRun()
    const host = `run-${run['GITHUB_RUN_ID']}.localhost`
    const turn: Runner['turn'] = (operation, key, perform) => runner.turn(operation, key, () => {
      acting = going
      return perform()
    })
    ways.set(host, { github, runner: { turn } })
    const id = Number(run['GITHUB_RUN_ID'])
    runs.set(runner, id)
    github.running.add(id)
    const { signal } = new AbortController()
    const clock = { now: () => world.time, sleep: async () => runner.pause(60_000) }
    const store = new ArtifactStore({
      set, token, variables: { ...run, GITHUB_API_URL: `http://${host}`, ACTIONS_RESULTS_URL: `http://${host}/` }, temporary, timeout: 60_000, retention: RETENTION, signal, clock,
      report: { info: () => undefined, warning: () => undefined }, now: runner.now, stagingLimit: pick([100_000, 2_000_000]), fullEvery: pick([DAY, 3 * DAY, Infinity]),
    })
    store.groups.authenticate(authenticatorOf(keys))
    return store
  }

  const backup = (ofDatabase: string) => async (runner: Runner): Promise<void> => {
    const began = world.time
    const safety = world.random() < 0.1
    const set = safety ? safetySetOf(ofDatabase) : ofDatabase
    const atOnce = pick([1, 1, 2, 4])
    const seen = open(runner, set)
    const before = runPartsOf(runs.get(runner)!)
    await openOrMakeRepository(seen)
    const { key, writer, readings, damage } = await backUpIn(seen, {
      world, runner, set, atOnce, tables: databases.next(ofDatabase), own: world.random() < 0.3 ? keysOfTwo : keys, sampled: world.random() < 0.5,
      announce: (one, content) => void model.announced.set(one, content), ...(safety && { until: new Date(runner.now().getTime() + 2 * DAY) }),
    })
    await sync()
    const snapshot = model.snapshots.get(key)
    if (!snapshot) throw new Violation(`${key} was stored, and no artifact has it`)
    snapshot.backup = { began, ended: world.time }
    if (snapshot.lostAt !== undefined && snapshot.lostAt < began) throw new Violation(`${key} was stored without ${model.missing(key)}`)
    const counts = {
      backup: 1, safeties: Number(safety), parallel: Number(atOnce > 1), parts: runPartsOf(runs.get(runner)!) - before, readAgain: readings - 1,
      sampled: damage.length, resealed: writer.forRecipients.chunks, adopted: writer.adopted.chunks,
    }
    for (const [name, count] of Object.entries(counts)) done[name]! += count
    if (world.random() < 0.5) return
    await proveSnapshot(seen, keys, { snapshot: idOf(key), set, time: runner.now(), level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
    await seen.groups.commit([])
    done['proofs']!++
  }
  const runPartsOf = (run: number): number => github.artifacts.filter((one) => one.run.id === run && one.name.includes('+')).length

  const prune = (policy: string, set: string) => async (runner: Runner): Promise<void> => {
    const going = new Set<string>()
    const seen = open(runner, set, going)
    const environment = environmentOf(runner.now)
    const references = await readReferences(seen, keys, { signal: environment.signal, parallel: 3, now: runner.now, onDamaged: () => undefined })
    const pruning = { destination: 'artifact', set, policy: parseRetention(policy, Error), timeZone: 'UTC', grace: without.grace ? HOUR : GRACE, minimumPart: 0, dryRun: false, most: { part: 1 }, force: false }
    for (const { keep, snapshot } of await decide(seen, keys, references, pruning, environment)) if (!keep) going.add(snapshot.key)
    const { deleted } = await releaseArtifacts(seen, seen.groups, [...going], pruning, environment.report)
    done['prune']!++
    done['artifactsDeleted']! += deleted
  }

  const restore = (key: string) => async (runner: Runner): Promise<void> => {
    const began = world.time
    const expected = model.snapshots.get(key)!
    const wasWhole = expected.lostAt === undefined
    try {
      const found = await readBack(open(runner, key.split('/')[1]), key)
      if (!isDeepStrictEqual(found, expected.content)) throw new Violation(`${key} gives back something else`)
      done['restore']!++
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (error instanceof Violation) throw error
      // A list may not show it yet, or show what is gone already.
      const lags = !expected.backup || expected.backup.ended > began - 2 * STALE || events.some(({ time }) => time > began - STALE)
      if (/refused: |answer lost: /.test(message) || !wasWhole || expected.lostAt !== undefined || lags) return
      throw new Violation(`${key} does not restore: ${message}`, { cause: error })
    }
  }

  const check = (set: string) => async (runner: Runner): Promise<void> => {
    const began = world.time
    const seen = open(runner, set)
    const { newestWhole } = await seen.groups.wholeness()
    const [fresh] = await freshnessOf(seen, keys, set, { level: 'list', now: runner.now(), onDamaged: () => undefined })
    for (const key of [newestWhole, fresh?.verified && snapshotKey(set, fresh.verified.snapshot)]) {
      const lostAt = key === undefined ? undefined : (model.snapshots.get(key)?.lostAt ?? (model.snapshots.has(key) ? undefined : 0))
      if (lostAt !== undefined && lostAt < began - STALE) throw new Violation(`${key} is called good, and has lost ${model.snapshots.has(key!) ? model.missing(key!) : 'everything'}`)
    }
    done['check']!++
  }

  /** At the last look: how many artifacts there were, and when the next one expires. */
  const seen = { count: 0, until: Infinity }

  /** Artifacts that were made, deleted or have expired since the last look. */
  const sync = async (): Promise<void> => {
    const count = github.artifacts.filter(({ final }) => final).length
    if (count === seen.count && world.time < seen.until) return
    seen.count = count
    const live = new Map(github.live().filter(({ id }) => !model.others.has(id)).map((artifact) => [artifact.id, artifact]))
    for (const artifact of live.values()) {
      if (model.made.has(artifact.id)) continue
      const files = await filesIn(await github.content(artifact))
      model.add(artifact, new Set(Object.keys(files)))
      events.push({ time: world.time, artifact, gone: false })
      for (const [key, bytes] of Object.entries(files)) {
        if (!key.startsWith('snapshots/')) continue
        const { header } = await decodeSnapshot(key, bytes, keys)
        model.snapshots.set(key, { lists: header.chunks.map(([id, , , , mark]) => chunkKey(id, mark)), content: model.announced.get(key)!, backup: undefined, lostAt: undefined })
      }
    }
    seen.until = Math.min(...Array.from(live.values(), ({ expires }) => expires.getTime()))
    const gone = [...model.made.values()].filter(({ artifact }) => !live.has(artifact.id))
    const expired = gone.filter(({ artifact }) => github.artifacts.includes(artifact))
    for (const { artifact } of expired) model.remove(artifact.id, 'its age')
    done['expired']! += expired.length
    model.deletedBy = undefined
    model.judge(world.time)
    for (const { artifact } of gone.filter((one) => !expired.includes(one))) {
      model.remove(artifact.id, 'a prune')
      events.push({ time: world.time, artifact, gone: true })
      model.deletedBy = acting
      model.judge(world.time)
    }
  }

  const deleteByHand = (): void => {
    const { artifact } = pick([...model.made.values()])
    world.tell(`people delete artifact ${artifact.name} (${artifact.id})`)
    github.artifacts.splice(github.artifacts.indexOf(artifact), 1)
    seen.count--
    model.remove(artifact.id, 'people')
    events.push({ time: world.time, artifact, gone: true })
    model.deletedBy = undefined
    model.judge(world.time)
    done['deletedByPeople']!++
  }

  /** Of a fork, a copy of another run's, or of any content; under a name that is looked for. */
  const lookAlike = async (): Promise<void> => {
    const { artifact } = pick([...model.made.values()])
    const zip = await github.content(artifact)
    const kind = pick(['fork', 'copy', 'content'])
    const files = { ...(await filesIn(zip)), 'parts.json': Buffer.from('nobody signed this') }
    const { name } = artifact
    const planted = await github.plant(kind === 'content' ? { name, files } : { name, zip, ...(kind === 'fork' && { head: 'else/shop' }) })
    model.others.add(planted.id)
    seen.count++
    world.tell(`someone uploads ${name} (${planted.id}): ${kind}`)
    done['lookAlikes']!++
  }

  const begin = async (name: string): Promise<void> => {
    const chance = world.random()
    const start = (what: string, work: (runner: Runner) => Promise<void>): void => world.start(`${what} ${name}`, work)
    const existing = [...model.snapshots.keys()]
    if (chance < 0.45 || existing.length === 0) {
      const set = pick(SETS)
      start(`backup ${set}`, backup(set))
    } else if (chance < 0.75) {
      const policy = pick(['last=1', 'last=2', 'last=3', 'daily=2', 'within=1d'])
      start(`prune ${policy}`, prune(policy, pick(SETS)))
    } else if (chance < 0.88) {
      start('restore', restore(pick(existing.slice(-12))))
    } else if (chance < 0.97) start('check', check(pick(SETS)))
    else if (model.made.size > 0 && world.random() < 0.3) deleteByHand()
    else if (model.made.size > 0 && model.others.size < 6) await lookAlike()
  }

  let started = 0
  try {
    while (world.steps < steps) {
      if (world.running < 4 && world.random() < 0.15) {
        await begin(`${++started}`)
        if (world.random() < 0.3) world.pass(30 * HOUR)
      }
      await world.step()
      await sync()
      for (const [runner, id] of runs) {
        if (!runner.ended) continue
        runs.delete(runner)
        github.running.delete(id)
        ways.delete(`run-${id}.localhost`)
      }
    }
  } catch (error) {
    throw new Error(`seed ${seed}, step ${world.steps}: ${error instanceof Error ? error.message : String(error)}\n${world.log.join('\n')}`, { cause: error })
  } finally {
    ways.clear()
    rmSync(temporary, { recursive: true, force: true })
  }
  return { ...done, lost: model.lost }
}

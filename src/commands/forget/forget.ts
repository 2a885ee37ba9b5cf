import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { formatCount } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import { carryDamage } from '../../repository/carry-damage.ts'
import { decodedOr, idOf, readAuthentic, setOf, snapshotKeys } from '../../repository/catalog.ts'
import { forgetSnapshot } from '../../repository/forget.ts'
import type { Keys } from '../../repository/keys.ts'
import { readLabels } from '../../repository/labels.ts'
import { isGood } from '../../repository/proofs.ts'
import { putBack } from '../../repository/references.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import { chunkKey, OtherKey, snapshotKey } from '../../repository/snapshot.ts'
import { survey } from '../../repository/survey.ts'
import { newestGood } from '../../repository/wholeness.ts'
import type { Store } from '../../stores/store.ts'
import { withStore } from '../with-store.ts'
import type { ForgetInputs } from './inputs.ts'
import type { ForgetResult } from './result.ts'

/**
 * Deletes snapshots by their ids: all of them, or none if there is a reason against one. A later prune deletes the data that only they
 * needed.
 */
export function forget(inputs: ForgetInputs, environment: Environment): Promise<ForgetResult> {
  const { destination, snapshots: ids, force } = inputs
  if (destination.immutable) {
    throw new LifeboatError('snapshots in artifacts cannot be forgotten one by one: an artifact may hold parts that later backups need', {
      hint: marked`‹lifeboat prune› deletes the artifacts that no backup needs that is kept; or let them expire.`,
      status: 2,
    })
  }
  return withStore(inputs, environment, async (store, keys) => {
    const all = (await snapshotKeys(store)).map((key) => ({ id: idOf(key), set: setOf(key) }))
    const missing = ids.filter((id) => !all.some((snapshot) => snapshot.id === id))
    if (missing.length > 0) {
      throw new LifeboatError(
        `${store.name} has no snapshot ${missing.join(', ')}; nothing was deleted`,
        { hint: marked`‹lifeboat list› shows those there are.` },
      )
    }
    const sets = [...Map.groupBy(all, ({ set }) => set)].filter(([, snapshots]) => snapshots.some(({ id }) => ids.includes(id)))
    const forgotten: ForgetResult['forgotten'] = []
    const freed = { objects: 0, bytes: 0 }
    const going = sets.map(
      ([set, snapshots]) => ({
        set,
        ids: snapshots.map(({ id }) => id).filter((id) => ids.includes(id)),
        rest: snapshots.map(({ id }) => id).filter((id) => !ids.includes(id)),
      }),
    )
    const objections = force ? [] : (await Promise.all(going.map((one) => objectionsTo(one, store, keys, environment)))).flat()
    if (objections.length > 0) {
      throw new LifeboatError(`nothing was deleted: ${objections.join('; ')}`, {
        hint: marked`Leave these out, or give ‹force: true›, and these alone: with it, nothing stops the deletion of any of them.` })
    }
    for (const { set, ids, rest } of going) {
      const { objects, bytes } = await onlyNeededBy(ids, set, store, keys, environment)
      freed.objects += objects
      freed.bytes += bytes
      await carryDamage(store, keys, set, { going: ids, staying: rest.map((id) => snapshotKey(set, id)) }, () => environment.now())
      for (const id of ids) {
        environment.signal.throwIfAborted()
        await forgetSnapshot(store, set, id)
        forgotten.push({ snapshot: id, set })
      }
    }
    return { store: store.name, forgotten, freed, left: all.length - forgotten.length }
  })
}

interface Going {
  set: string
  /** Newest first, as are those that stay. */
  ids: readonly string[]
  rest: readonly string[]
}

async function objectionsTo({ set, ids, rest }: Going, store: Store, keys: Keys, { report }: Environment): Promise<string[]> {
  const labels = await readLabels(store, keys, set)
  const proofs = await SetProofs.list(store, keys, set, warningOf(report))
  const verified: string[] = []
  const complete: string[] = []
  const foreign: string[] = []
  let putBackFirst = ''
  for (const id of ids) {
    const unread: LifeboatError[] = []
    const snapshot = await decodedOr(unread, () => readAuthentic(store, snapshotKey(set, id), keys))
    // Nor can its proofs be read.
    if (unread[0] instanceof OtherKey)
      foreign.push(`${id} was made with the key ${unread[0].fingerprint}, not with the one given, so it may be the only good one`)
    else if (unread[0] && id === ids[0])
      putBackFirst = ` and damaged, and comes back from another store that has it: ${putBack({ set, snapshot: id })}`
    const verdict = await proofs.verdict(id)
    if (!verdict || !isGood(verdict)) continue
    verified.push(id)
    if (snapshot && !snapshot.header.partial) complete.push(id)
  }
  const others = rest.map((id) => snapshotKey(set, id))
  const hasGood = async (complete: boolean): Promise<boolean> =>
    (await newestGood(store, keys, others, { proofs, verified: true, complete })).good !== undefined
  return [
    ...foreign,
    ...(rest.every((other) => other < ids[0]!) ? [`${ids[0]} is the newest of set ${set}${putBackFirst}`] : []),
    ...ids.filter((id) => labels.get(id)?.pinned).map((id) => `${id} is pinned`),
    ...(verified.length > 0 && !(await hasGood(false))
      ? [`no other verified snapshot of set ${set} is whole: only ${verified.join(', ')}`]
      : complete.length > 0 && !(await hasGood(true))
        ? [`no other verified snapshot of set ${set} is whole and complete: only ${complete.join(', ')}`]
        : []),
  ]
}

/** The chunks that no other snapshot of the set lists; those of other sets never do. */
async function onlyNeededBy(
  ids: readonly string[],
  set: string,
  store: Store,
  keys: Keys,
  { report, signal }: Environment,
): Promise<ForgetResult['freed']> {
  const sizes = new Map<string, number>()
  await survey(store, keys, { set, wanted: (id) => ids.includes(id), signal, onDamaged: () => undefined }, ({ snapshot }) => {
    for (const [id, , stored, , mark] of snapshot.header.chunks) sizes.set(chunkKey(id, mark), stored)
  })
  let unread = 0
  await survey(store, keys, { set, wanted: (id) => !ids.includes(id), signal, onDamaged: () => unread++ }, ({ snapshot }) => {
    for (const [id, , , , mark] of snapshot.header.chunks) sizes.delete(chunkKey(id, mark))
  })
  if (unread > 0) {
    report.warning(
      `${formatCount(unread, 'snapshot')} of set ${set} cannot be read, so a prune will keep all chunks`,
      marked`‹lifeboat list› says what is wrong with them.`,
    )
  }
  return { objects: sizes.size, bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) }
}

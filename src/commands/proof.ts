import type { Environment } from '../environment.ts'
import { messageOf } from '../error.ts'
import type { Keys } from '../repository/keys.ts'
import { writeProof } from '../repository/proofs.ts'
import { snapshotKey } from '../repository/snapshot.ts'
import { openStore, type StoreInputs } from '../stores/open.ts'
import { isThere, type Store } from '../stores/store.ts'
import type { VerifyResult } from './results.ts'

/** Stores the proof of a verification. That it cannot be stored (a read-only store, artifacts outside of a workflow) is told, and is no failure: what was found out is true all the same. */
export async function keepProof(found: VerifyResult, inputs: StoreInputs, store: Store, keys: Keys, environment: Environment): Promise<void> {
  const { report, signal, run } = environment
  const { snapshot, set, level, result, seconds, bytes, damaged, problems, versions } = found
  // A store opened for every set cannot put artifacts; one for this set can.
  const own = inputs.destination.kind === 'artifact' && inputs.set !== set ? await openStore({ ...inputs, set }, environment) : store
  try {
    const proof = await writeProof(own, keys, { snapshot, set, time: environment.now(), level, result, seconds, bytes, damaged, problems, versions, run: run?.url ?? null })
    // Deleted meanwhile: a proof without a snapshot would say that the snapshot was lost.
    if (!own.commit && !(await isThere(own, snapshotKey(set, snapshot)))) await own.delete(proof)
    await own.commit?.([])
  } catch (error) {
    signal.throwIfAborted()
    report.warning(`the result of this verification was not kept in ${store.name}: ${messageOf(error)}`, 'It holds all the same; but `lifeboat list` does not know of it, nor does the next backup of what was found damaged.')
  } finally {
    if (own !== store) await own.close()
  }
}

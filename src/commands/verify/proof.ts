import type { Environment } from '../../environment.ts'
import { messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { AccessInputs } from '../../inputs/store.ts'
import type { Keys } from '../../repository/keys.ts'
import { type ProofDetails, proveSnapshot } from '../../repository/proofs.ts'
import type { Drilled } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import { machine } from '../machine.ts'
import { attestation } from './attest.ts'
import type { SnapshotVerified } from './result.ts'

/** The fate of proofs. */
export interface KeptProofs {
  kept: boolean
  /** Whether each was attested; absent if that was not asked for. */
  attested?: boolean
}

/**
 * Stores the proofs of verifications, and tells whether they are kept. That they cannot be stored (a read-only store, artifacts outside of
 * a workflow) is a warning, and no failure: what was found out is true all the same. `attesting`: each is attested, with the token in it.
 */
export async function keepProofs(
  found: readonly SnapshotVerified[], store: Store, keys: Keys, environment: Environment, attesting?: AccessInputs,
): Promise<KeptProofs> {
  const { report, signal, run } = environment
  const [first] = found
  if (!first) return { kept: true, ...(attesting && { attested: false }) }
  let attested = 0
  const told = (kept: boolean): KeptProofs => ({ kept, ...(attesting && { attested: attested === found.length }) })
  try {
    await putTogether(store, first.set, async (own) => {
      for (const one of found) {
        const { snapshot, set, result: outcome, unmet, seconds, bytes, damaged, good, problems, versions, sources } = one
        const drill = drilled(sources, seconds)
        const result = unmet === undefined ? outcome : unmet === 'all else verified' ? 'conditions not met' : 'could not verify'
        // A proof of a drill that failed without damaged objects says that everything could be read.
        const level = one.level === 'drill' && result === 'failed' && damaged.length === 0 && !one.failedDrill ? 'read' : one.level
        const verification = {
          snapshot, set, time: environment.now(), level, result, seconds, bytes, damaged, good, problems, versions,
          run: run?.url ?? null, ...(drill && { drill }),
        } as const
        const bundle = attesting && (await attestation(verification, store, keys, attesting, environment))
        if (bundle) attested++
        await proveSnapshot(own, keys, { ...verification, ...(bundle && { attestation: bundle }) })
      }
    })
    return told(true)
  } catch (error) {
    signal.throwIfAborted()
    report.warning(
      `the result of this verification was not kept in ${store.name}: ${messageOf(error)}`,
      marked`It holds all the same; but ‹lifeboat list› does not know of it, nor does the next backup of what was found damaged.`,
    )
    return told(false)
  }
}

/** Puts proofs of a set, which artifacts keep together. */
export async function putTogether(store: Store, set: string, put: (own: Store) => Promise<unknown>): Promise<void> {
  const own = store.groups?.ofSet(set) ?? store
  try {
    await put(own)
    await own.groups?.commit([])
  } finally {
    if (own !== store) await own.close()
  }
}

/**
 * Undefined unless every source was drilled to the end. `elapsed`: seconds of the whole verification. Parts of drills that went on side by
 * side count as their shares of it.
 */
export function drilled(sources: SnapshotVerified['sources'], elapsed: number): ProofDetails['drill'] {
  const drills = sources.flatMap(({ drill }) => (drill ? [drill] : []))
  if (drills.length === 0 || drills.length < sources.length) return undefined
  const sum = (count: (drill: Drilled) => number): number => drills.reduce((total, drill) => total + count(drill), 0)
  const parts = ['download', 'restore', 'compare', 'checks'] as const
  const total = (part: (typeof parts)[number]): number => sum(({ seconds }) => seconds[part])
  const share = Math.min(1, elapsed / parts.reduce((all, part) => all + total(part), 0))
  const secondsOf = (part: (typeof parts)[number]): number => (share < 1 ? Math.round(total(part) * share * 1000) / 1000 : total(part))
  return {
    entries: sum(({ entries }) => entries),
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes }) => bytes),
    wording: drills.every(({ wording }) => wording),
    assertions: sum(({ assertions }) => assertions),
    seconds: {
      download: secondsOf('download'), restore: secondsOf('restore'), compare: secondsOf('compare'), checks: secondsOf('checks'),
    },
    machine: machine(),
  }
}

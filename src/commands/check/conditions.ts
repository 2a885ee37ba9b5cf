import { marked } from '../../marks.ts'
import { formatCount, formatSome } from '../../report/format.ts'
import type { Freshness } from '../../repository/freshness.ts'
import { acceptLoss, putBackOr } from '../../repository/references.ts'
import { timeOfId } from '../../repository/snapshot.ts'
import { flawOf, type Unsound } from '../../repository/wholeness.ts'
import type { CheckInputs } from './inputs.ts'
import { afterFailedDrill, BACK_UP_AGAIN, rowsOf, verifyAgain, verifyAll } from '../back-up-again.ts'
import { formatDuration } from './report.ts'

/** Where proofs name snapshots that are missing, there were some of this key. */
export function isOfOtherKey({ otherKey = 0, missing }: Pick<Freshness, 'otherKey' | 'missing'>): boolean {
  return otherKey > 0 && missing.length === 0
}

export function noneOfKeyText({ otherKey = 0, unreadable }: Pick<Freshness, 'otherKey' | 'unreadable'>): string {
  const none = otherKey === 1 ? 'its snapshot was not' : `none of its newest ${formatCount(otherKey, 'snapshot')} was`
  return `${none} made with the key given: ${unreadable}`
}

/** As many are named one by one. */
const MOST_UNSOUND = 3

/** A condition that is not met. */
interface Unmet {
  problem: string
  /** Told once, also if it is true of several sets. */
  advice?: string
  /** Of proofs: the snapshots themselves are as new as they must be. */
  ofProof?: true
}

/** The conditions that a set does not meet. */
export function unmetConditions(
  { set, newest, verified, unsound, missing, unreadable, otherKey, proof, uncounted, attempt }: Freshness,
  { maxAge, maxProofAge, proofLevel: level }: CheckInputs['conditions'],
  now: Date,
): Unmet[] {
  const unmet: Unmet[] = []
  const age = (time: string): number => now.getTime() - Date.parse(time)
  const failedDrill = unsound.find((one) => one.failedDrill)
  for (const found of unsound.slice(0, MOST_UNSOUND)) {
    const { snapshot, why, repaired } = found
    const instead = verified
      ? `; the newest that is whole and verified is ${verified.snapshot}, ${formatDuration(age(verified.time))} old`
      : ''
    const since = repaired ? '; its damaged objects have been found good since' : ''
    unmet.push({
      problem: `snapshot ${snapshot} ${flawOf(found)}: ${why}${since}${instead}`,
      // Of several that failed their drills, the newest tells what to correct.
      ...(found.failedDrill && found !== failedDrill ? {} : { advice: adviceOn(found, set) }),
    })
  }
  const more = unsound.length - MOST_UNSOUND
  const flaw = unsound.some((one) => one.failedDrill) ? 'are damaged or failed their drills' : 'are damaged'
  if (more > 0) unmet.push({ problem: more === 1 ? `1 more snapshot ${flawOf(unsound.at(-1)!)}` : `${more} more snapshots ${flaw}` })
  if (missing.length > 0) {
    unmet.push({
      problem: `the store has proofs of snapshots that it does not have: ${formatSome(missing, 1)}; ` +
        putBackOr(`once: ${acceptLoss(set)}`, set),
    })
  }
  const dated = missing.length > 0 ? 'none is readable that is not dated in the future' : 'every snapshot is dated in the future'
  const why = unreadable ?? (newest === undefined ? dated : `the newest is ${newest}`)
  if (isOfOtherKey({ otherKey, missing })) {
    unmet.push({ problem: noneOfKeyText({ otherKey, unreadable }), advice: 'Give the key that these backups are made with.' })
  } else if (!verified) {
    // Damage has its own advice.
    const isNew = newest !== undefined && unreadable === undefined && missing.length === 0 && age(timeOfId(newest)) <= maxAge
    const advised = unsound.length > 0 ? {} : isNew ? { advice: verifyAdvice(set), ofProof: true as const } : { advice: BACK_UP }
    unmet.push({ problem: `no snapshot is verified and whole; ${why}`, ...advised })
  }
  else if (age(verified.time) > maxAge) {
    const [old, most] = [age(verified.time), maxAge].map(formatDuration)
    unmet.push({ problem: `the newest verified snapshot, ${verified.snapshot}, is ${old} old, more than ${most}`, advice: BACK_UP })
  }
  if (maxProofAge === undefined) return unmet
  const advice = `Verify the newest snapshot at level ${level}, and do so in a schedule.`
  const other = uncounted === undefined ? '' : `; that of ${uncounted.snapshot} does not count: the snapshot is damaged or missing, or ` +
    'failed since'
  const then = `${other}${attempt === undefined ? '' : `; ${attemptText(attempt, age(attempt.time))}`}`
  if (!proof) {
    const kept = level === 'drill' ? ` ${KEEP_DRILLED}` : ''
    const there = `still in the store${uncounted === undefined ? '' : ' and not damaged'}`
    const problem = `no snapshot that is ${there} was verified at level ${level}${then}`
    unmet.push({ problem, advice: `${advice}${kept}`, ofProof: true })
  } else if (age(proof.time) > maxProofAge) {
    const [old, most] = [age(proof.time), maxProofAge].map(formatDuration)
    unmet.push({
      problem: `the newest verification at level ${level}, of ${proof.snapshot}, is ${old} old, more than ${most}${then}`, advice,
      ofProof: true,
    })
  } else if (attempt?.result === 'conditions not met') {
    const advice = 'Look at the data of the source, or correct the condition.'
    unmet.push({ problem: attemptText(attempt, age(attempt.time)), advice, ofProof: true })
  } else if (attempt?.result === 'failed') {
    // That of a damaged snapshot is above.
    const again = attempt.snapshot === newest && unsound.length === 0 ? `${BACK_UP_AGAIN.intact(set)} ` : ''
    unmet.push({ problem: attemptText(attempt, age(attempt.time)), advice: `${again}${advice}` })
  }
  return unmet
}

function adviceOn({ snapshot, intact, repaired, failedDrill }: Unsound, set: string): string {
  if (repaired) return verifyAgain({ set, snapshot, level: repaired })
  if (failedDrill) return `${afterFailedDrill({ set, snapshot })} ${rowsOf({ snapshot })}`
  return BACK_UP_AGAIN[intact ? 'intact' : 'damaged'](set)
}

/** A verification that did not verify: which of the other outcomes it had. */
function attemptText({ snapshot, result }: NonNullable<Freshness['attempt']>, age: number): string {
  const found = {
    'failed': 'failed',
    'could not verify': 'could not be completed, and says nothing about the backup',
    'conditions not met': 'found the backup whole, but a condition that was given does not hold in it',
  }[result]
  return `the verification of ${snapshot} ${formatDuration(age)} ago ${found}`
}

const KEEP_DRILLED =
  'A proof is deleted with its snapshot: the rule drilled=1 of a retention policy keeps the newest drilled one.'

function verifyAdvice(set: string): string {
  return `Verify the snapshots: ${verifyAll(set)}. A copy of a store has no proofs of its own.`
}

const BACK_UP = 'Run the backup now. Then look at its last runs: they failed, did not start, or did not verify what they stored.' +
  marked` If the source is gone on purpose, and its backups are not needed: ‹lifeboat forget ID; force: true›, with the ids of the set.`

import type { Report } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import type { Pruning } from '../../inputs/pruning.ts'
import { retentionText } from '../../inputs/retention.ts'
import type { Most } from '../../inputs/schemas.ts'
import { marked, markedCommand } from '../../marks.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { setOf } from '../../repository/catalog.ts'
import { checkListing } from '../../repository/listing.ts'
import { acceptLoss, missingHint, missingText, type References, type SnapshotSeen } from '../../repository/references.ts'
import type { Candidate, Decision, RetentionPolicy } from '../../repository/retention.ts'
import type { Store } from '../../stores/store.ts'

export interface PruneOptions extends Pruning {
  /** As a command is given it. */
  destination: string
  set: string
  policy: RetentionPolicy
  timeZone: string
  dryRun: boolean
  most: Most
  force: boolean
  /** Key of a snapshot that was just stored and verified. */
  stored?: string
}

/** Throws the problem, if there is one; a dry run warns of it. */
export function refuse(problem: LifeboatError | undefined, { dryRun }: PruneOptions, report: Report): void {
  if (problem && !dryRun) throw problem
  if (problem) report.warning(`this would be refused: ${problem.message}`, problem.hint)
}

/** Throws if the key given is not that of any snapshot of the set: a scheduled prune would do nothing, and look well, for ever. */
export function refuseOtherKey({ snapshots, unreadable }: References, set: string): void {
  const ofSet = snapshots.filter((snapshot) => snapshot.set === set)
  if (ofSet.length === 0 || unreadable.some(({ key }) => setOf(key) === set) || ofSet.some(({ authentic }) => authentic)) return
  throw new LifeboatError(
    `none of the ${formatCount(ofSet.length, 'snapshot')} of set ${set} was made with the key given, so nothing was pruned`,
    { hint: 'Give the key that these backups were made with.' },
  )
}

/** This prune as a command of its own, with what it was given and `more`. */
export function commandOf({ destination, set, policy, grace, minimumPart }: PruneOptions, more: Record<string, string> = {}): string {
  return markedCommand('prune', {
    destination,
    set,
    retention: retentionText(policy),
    'prune-min-size': `${Math.round(minimumPart * 100)}%`,
    grace: `${grace / 3_600_000}h`,
    ...more,
  })
}

const acceptedLosses = (missing: readonly string[], { destination }: PruneOptions): string[] =>
  [...new Set(missing.map(setOf))].map((set) => acceptLoss(set, destination))

/** Signs that a listing of all snapshots does not show them all: a prune that does not see some would delete their chunks. */
export async function whyIncomplete(
  store: Store,
  { snapshots, unreadable, missing }: References,
  options: PruneOptions,
): Promise<LifeboatError | undefined> {
  const { stored } = options
  const otherwise = 'Nothing was deleted.'
  if (stored !== undefined && ![...snapshots, ...unreadable].some(({ key }) => key === stored)) {
    return new LifeboatError(
      `${store.name} does not list ${stored}, which was just stored`,
      { hint: `Its list of objects cannot be relied on. If it lists it later, the next prune goes on. ${otherwise}` },
    )
  }
  if (missing.length > 0) {
    return new LifeboatError(missingText(store, missing), {
      // The command prunes nothing by a policy: with force, one would run without guards.
      hint: `${missingHint(`once: ${acceptedLosses(missing, options).join(' ')}`, undefined, options.destination)} ${otherwise}`,
    })
  }
  if (snapshots.length > 0 || unreadable.length > 0) return undefined
  try {
    await checkListing(store)
    return undefined
  } catch (error) {
    if (error instanceof LifeboatError) {
      return new LifeboatError(
        error.message,
        {
          cause: error,
          hint: `${error.hint} If all that is left in it is not needed any more, once: ${commandOf(options, { force: 'true' })}.`,
        },
      )
    }
    throw error
  }
}

/** The end of a hint that begins with a dry run. */
const once = (given: string): string => `with ${given} in place of ${marked`‹dry-run: true›`}, the same deletes it`

/** All guards that say no. */
export function reasonsAgainst(
  all: readonly Decision<Candidate & SnapshotSeen>[],
  options: PruneOptions,
): LifeboatError[] {
  const { set, dryRun, most, minimumPart, force, stored } = options
  if (force) return []
  // Safety backups go when their time is over, however many they are.
  const decisions = all.filter(({ snapshot }) => snapshot.until === undefined)
  const going = decisions.filter(({ keep }) => !keep).length
  const limit = 'count' in most ? most.count : Math.floor(decisions.length * most.part)
  const [newest, before] = decisions.map(({ snapshot }) => snapshot)
  const small = going > 0 && newest && before && newest.size < before.size * minimumPart
  const reasons: LifeboatError[] = []
  const look = `See what would go: ${commandOf(options, { 'dry-run': 'true' })}`
  const overruled = marked`To delete them all the same, run it with ‹force: true›`
  if (going > limit) {
    // Where both say no, max-delete satisfies this one alone: a dry run names all.
    const atLeast = small ? `${dryRun ? overruled : look}.`
      : stored !== undefined ? `${look}; ${once(marked`‹max-delete: ${going}›`)}.`
        : dryRun ? marked`To delete these ${going}, run it without ‹dry-run› and with ‹max-delete: ${going}›.`
          : marked`${look}. To delete these ${going}, run it again with ‹max-delete: ${going}›.`
    reasons.push(new LifeboatError(
      `the policy would delete ${going} of the ${decisions.length} snapshots of set ${set}, more than the ${limit} that ` +
        `${stored === undefined ? 'max-delete' : 'a prune after a backup'} allows`,
      { hint: `${atLeast} Nothing was deleted.` },
    ))
  }
  if (small) {
    const part = `less than ${Math.round(minimumPart * 100)} % of the ${formatBytes(before.size)} of the one before`
    reasons.push(new LifeboatError(`the newest backup of set ${set} has ${formatBytes(newest.size)}, ${part}`, {
      hint:
        'If something is missing from it, the older ones are needed. If not: the next backup of this size prunes; or set another ' +
        marked`‹prune-min-size›. ${dryRun ? overruled : `${look}; ${once(marked`‹force: true›`)}`}. Nothing was deleted.`,
    }))
  }
  return reasons
}

import type { Outcome } from '../dispatch.ts'
import type { Action } from '../inputs.ts'
import type { Results } from '../commands/results.ts'
import { failsByShrinking } from '../report/shrink.ts'

/** The outputs of each action: what action.yml says of them. `outcome` and `result` are in all of them. */
export const outputs = {
  backup: {
    outcome: 'done or failed. With a snapshot-id there is a backup even when it failed: a destination lacks it, or something shrank.',
    'snapshot-id': 'The id of the new snapshot.',
    size: 'Bytes read from the databases.',
    added: 'Bytes added to the store.',
    duration: 'Seconds it took.',
    verified: 'The level at which the snapshot was read back: none, list or read.',
    shrunk: 'How many databases, tables, volumes and buckets lost more than half since the backup before.',
    result: 'Everything about the backup, as JSON.',
  },
  restore: {
    outcome: 'done or failed.',
    'snapshot-id': 'The id of the snapshot that was restored.',
    restored: 'How many archive entries were restored.',
    duration: 'Seconds it took.',
    result: 'Everything about the restore, as JSON.',
  },
  verify: {
    outcome: 'verified, failed, or could not verify.',
    'snapshot-id': 'The id of the snapshot that was checked.',
    duration: 'Seconds it took.',
    result: 'Everything about the verification, as JSON.',
  },
  check: {
    outcome: 'fresh or stale; failed when it could not be found out.',
    problems: 'How many of the conditions are not met.',
    'issue-url': 'The issue that was opened, updated or closed; empty when there was none.',
    result: 'Everything that was found, as JSON.',
  },
  list: {
    outcome: 'done or failed.',
    count: 'How many snapshots there are.',
    'snapshot-id': 'The id of the newest snapshot that is whole; empty when there is none.',
    result: 'All snapshots, as JSON.',
  },
  copy: {
    outcome: 'done, or failed when a snapshot could not be copied.',
    copied: 'How many snapshots were copied.',
    bytes: 'Bytes transferred.',
    duration: 'Seconds it took.',
    result: 'Everything about the copy, as JSON.',
  },
  prune: {
    outcome: 'done or failed.',
    deleted: 'How many snapshots were deleted, or would be.',
    kept: 'How many snapshots of the set stay.',
    duration: 'Seconds it took.',
    result: 'Everything about the prune, as JSON.',
  },
  doctor: {
    outcome: 'done, or failed when a check found a problem.',
    problems: 'How many problems there are.',
    warnings: 'How many warnings there are.',
    result: 'All checks, as JSON.',
  },
} as const satisfies Record<Action, Record<string, string>>

const values: { readonly [A in Action]: (result: Results[A]) => Record<Exclude<keyof (typeof outputs)[A], 'result'>, string> } = {
  backup: (result) => {
    const { snapshot, size, added, seconds, verified, shrunk } = result
    return { outcome: result.complete && !failsByShrinking(result) ? 'done' : 'failed', 'snapshot-id': snapshot, size: `${size}`, added: `${added}`, duration: `${seconds}`, verified, shrunk: `${shrunk.length}` }
  },
  restore: ({ snapshot, restored, errors, seconds }) => ({ outcome: errors.length > 0 ? 'failed' : 'done', 'snapshot-id': snapshot, restored: `${restored}`, duration: `${seconds}` }),
  verify: ({ result, snapshot, seconds }) => ({ outcome: result, 'snapshot-id': snapshot, duration: `${seconds}` }),
  copy: ({ snapshots, bytes, seconds }) => ({
    outcome: snapshots.some(({ outcome }) => outcome === 'failed') ? 'failed' : 'done',
    copied: `${snapshots.filter(({ outcome }) => outcome === 'copied').length}`,
    bytes: `${bytes}`,
    duration: `${seconds}`,
  }),
  prune: ({ deleted, kept, seconds }) => ({ outcome: 'done', deleted: `${deleted}`, kept: `${kept}`, duration: `${seconds}` }),
  doctor: ({ checks }) => {
    const [problems, warnings] = (['bad', 'warning'] as const).map((state) => checks.filter((check) => check.state === state).length)
    return { outcome: problems! > 0 ? 'failed' : 'done', problems: `${problems}`, warnings: `${warnings}` }
  },
  check: ({ problems, issue }) => ({ outcome: problems.length > 0 ? 'stale' : 'fresh', problems: `${problems.length}`, 'issue-url': issue?.url ?? '' }),
  list: ({ snapshots, restorable = '' }) => ({ outcome: 'done', count: `${snapshots.length}`, 'snapshot-id': restorable }),
}

/** The values of an action's outputs. */
export function outputsOf<A extends Action>({ command, result }: Outcome<A>): Record<string, string> {
  return { ...values[command](result), result: JSON.stringify(result) }
}

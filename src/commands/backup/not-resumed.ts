import type { BackupResult } from './result.ts'

/** Why the step fails although there is a backup: the writers that rested for it do not all work again. */
export function notResumedProblem({ notResumed }: Pick<BackupResult, 'notResumed'>): string[] {
  return notResumed === undefined ? [] : [`the backup exists, but ${notResumed}`]
}

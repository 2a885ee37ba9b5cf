/** Why the step fails although there is a backup: the writers that rested for it do not all work again. */
export function notResumedProblem({ notResumed, snapshot }: { notResumed?: string; snapshot?: string }): string[] {
  if (notResumed === undefined) return []
  return [`${snapshot === undefined ? 'the backups exist' : `snapshot ${snapshot} exists`}, but ${notResumed}`]
}

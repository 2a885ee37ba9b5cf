import { type Answers, KEY_SECRET, type RepositorySecret } from './answers.ts'
import type { PlannedFile } from './files.ts'
import type { InitResult } from './result.ts'

/** The secrets that the workflows name. */
export function secretsOf({ databases, credentials }: Answers, key: string | undefined): RepositorySecret[] {
  return [...databases.map(({ secret, url }) => ({ name: secret, value: url })), { name: KEY_SECRET, value: key }, ...credentials]
}

export type PlannedSecret = RepositorySecret & { state: 'set' | 'kept' | 'to make' }

/**
 * Backups that exist need the key that they were made with, and GitHub shows it to nobody: one that may be there is only replaced if that
 * is asked for by its name. It may also be a secret of the organization, which one of the repository hides.
 */
export function stateOf(
  { name, value }: RepositorySecret,
  { gh, there, mayHaveKey }: Pick<Answers, 'gh' | 'there' | 'mayHaveKey'>,
  { force, replaceKey }: { force: boolean; replaceKey: boolean },
): PlannedSecret['state'] {
  const replaces = value !== undefined && (name === KEY_SECRET ? replaceKey : force)
  if (there?.has(name) && !replaces) return 'kept'
  const hides = name === KEY_SECRET && mayHaveKey && !replaces
  return gh === 'ready' && there !== undefined && value !== undefined && !hides ? 'set' : 'to make'
}

export function stateOfFile(file: PlannedFile, written: readonly PlannedFile[]): InitResult['files'][number]['state'] {
  return written.includes(file) ? 'written' : file.before === file.after ? 'unchanged' : 'left'
}

/** Everything that will be changed, and what is left as it is. */
export interface PlannedChanges {
  files: readonly PlannedFile[]
  toWrite: readonly PlannedFile[]
  secrets: readonly PlannedSecret[]
  makesBackup: boolean
  answers: Pick<Answers, 'repository' | 'destination' | 'movedFrom' | 'there' | 'plan'>
}

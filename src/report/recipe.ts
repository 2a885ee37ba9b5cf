/** How to get at a snapshot: the commands and workflow steps that reports end with. Pure. */

/** Where a store is, as the inputs of the next command give it. */
export interface Whereabouts {
  /** `file:/mnt/backups`. */
  destination: string
  set: string
}

/** Which databases a snapshot holds matters to a restore once there are several. */
export interface SnapshotContent extends Whereabouts {
  snapshot: string
  databases: readonly string[]
}

/** A command line that restores; the two secrets come from the environment. */
export function restoreCommand(program: string, content: SnapshotContent): string {
  const [first, ...others] = content.databases
  const parts = [program, 'restore', ...whereaboutsArguments(content), '--snapshot', content.snapshot]
  if (first !== undefined && others.length > 0) parts.push('--database', shellWord(first))
  return parts.join(' ')
}

/** A command line that verifies every byte. */
export function verifyCommand(program: string, content: SnapshotContent): string {
  return [program, 'verify', ...whereaboutsArguments(content), '--snapshot', content.snapshot, '--level', 'read'].join(' ')
}

function whereaboutsArguments({ destination, set }: Whereabouts): string[] {
  return ['--destination', shellWord(destination), '--set', shellWord(set)]
}

/** A step of a workflow that restores. `action` is `owner/repository` and `reference` what follows `@`. */
export function restoreStep(action: string, reference: string, content: SnapshotContent): string {
  const [first, ...others] = content.databases
  return [
    `- uses: ${action}/restore@${reference}`,
    '  with:',
    '    database-url: ${{ secrets.RESTORE_DATABASE_URL }}',
    '    encryption-key: ${{ secrets.LIFEBOAT_ENCRYPTION_KEY }}',
    `    destination: ${yamlWord(content.destination)}`,
    `    set: ${yamlWord(content.set)}`,
    `    snapshot: ${content.snapshot}`,
    ...(first !== undefined && others.length > 0 ? [`    database: ${yamlWord(first)}`] : []),
  ].join('\n')
}

/** A word that a POSIX shell takes as it is. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** A YAML scalar; JSON strings are YAML. A `${{` in it would be an expression. */
function yamlWord(word: string): string {
  const plain = /^[A-Za-z/][A-Za-z0-9@%+=:,./_-]*[A-Za-z0-9/]$/.test(word) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(word)
  return plain ? word : JSON.stringify(word).replaceAll('${{', "${{ '${{' }}")
}

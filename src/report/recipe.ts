/** How to get at a snapshot: the commands and workflow steps that reports end with. Pure. */
import { destinationHelp } from '../stores/destination.ts'

/** Where a store is, as the inputs of the next command give it. */
export interface Whereabouts {
  /** `artifact`, `file:/mnt/backups`. */
  destination: string
  set: string
}

/** The sources of a snapshot, each of which is restored on its own. */
export interface SnapshotContent extends Whereabouts {
  snapshot: string
  databases: readonly string[]
  volumes?: readonly string[]
}

/** One source of a snapshot, as the inputs of a restore name it. */
interface Restorable {
  noun: 'database' | 'volume'
  name: string
  /** No other source of the snapshot has the same noun, so that its name may be left out. */
  only: boolean
}

/** Every source of a snapshot, in the order in which they are restored: databases first. */
export function restorables({ databases, volumes = [] }: Pick<SnapshotContent, 'databases' | 'volumes'>): Restorable[] {
  return [
    ...databases.map((name): Restorable => ({ noun: 'database', name, only: databases.length === 1 })),
    ...volumes.map((name): Restorable => ({ noun: 'volume', name, only: volumes.length === 1 })),
  ]
}

/** Whether the first restore that is shown is of a volume. */
function ofVolume({ databases, volumes = [] }: Pick<SnapshotContent, 'databases' | 'volumes'>): boolean {
  return databases.length === 0 && volumes.length > 0
}

/** `an empty database`, or `an empty folder`: what the restore that is shown is into. */
export function restoreInto(content: Pick<SnapshotContent, 'databases' | 'volumes'>): string {
  return ofVolume(content) ? 'an empty folder' : 'an empty database'
}

/** The inputs of a restore that say what and where to, beside DATABASE_URL. */
function selection({ noun, name, only }: Restorable): [input: string, value: string][] {
  return [
    ...(only ? [] : [[noun, name] satisfies [string, string]]),
    ...(noun === 'volume' ? [['target', `./${name}`] satisfies [string, string]] : []),
  ]
}

/** The environment variables that a restore at a terminal needs, as a sentence has them. */
export function restoreVariables(
  content: Pick<Whereabouts, 'destination'> & Partial<Pick<SnapshotContent, 'databases' | 'volumes'>>,
  quote: (name: string) => string = (name) => name,
): string {
  const url = ofVolume({
    databases: content.databases ?? [],
    ...(content.volumes && { volumes: content.volumes }),
  }) ? [] : [`${quote('DATABASE_URL')} (the target)`]
  const names = [
    quote('LIFEBOAT_ENCRYPTION_KEY'),
    ...url,
    ...(destinationHelp(content.destination)?.variables ?? []).map((name) => quote(name)),
  ]
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}` : names[0]!
}

/**
 * A command line that restores one source, by default the first; the secrets come from the environment. `separator` stands between its
 * options.
 */
export function restoreCommand(
  program: string,
  content: SnapshotContent,
  separator = ' ',
  source: Restorable | undefined = restorables(content)[0],
): string {
  return [
    `${program} restore`,
    ...snapshotOptions(content),
    ...(source ? selection(source) : []).map(([input, value]) => `--${input} ${shellWord(value)}`),
  ].join(separator)
}

/** A command line that verifies every byte. */
export function verifyCommand(program: string, content: SnapshotContent): string {
  return [`${program} verify`, ...snapshotOptions(content), '--level read'].join(' ')
}

/** A command line that prunes a set; `retention` as the input takes it. */
export function pruneCommand(
  program: string,
  { destination, set, retention }: Whereabouts & { retention: string },
): string {
  return [
    `${program} prune`,
    `--destination ${shellWord(destination)}`,
    `--set ${shellWord(set)}`,
    `--retention ${shellWord(retention)}`,
  ].join(' ')
}

function snapshotOptions({ destination, set, snapshot }: SnapshotContent): string[] {
  return [`--destination ${shellWord(destination)}`, `--set ${shellWord(set)}`, `--snapshot ${snapshot}`]
}

/**
 * Steps of a workflow that restore these sources. `action` is `owner/repository` and `reference` what follows `@`. Each database is
 * restored into a target of its own: `RESTORE_DATABASE_URL`, `RESTORE_DATABASE_URL_2`, ….
 */
export function restoreSteps(action: string, reference: string, content: SnapshotContent, sources = restorables(content)): string {
  const permissions = destinationHelp(content.destination)?.permissions
  return [
    ...(permissions === undefined ? [] : [`# permissions of the job: ${permissions}`]),
    ...sources.map((source, index) => restoreStep(`${action}/restore@${reference}`, content, source, index)),
  ].join('\n')
}

function restoreStep(uses: string, content: SnapshotContent, source: Restorable, index: number): string {
  const secret = `RESTORE_DATABASE_URL${index === 0 ? '' : `_${index + 1}`}`
  return [
    `- uses: ${uses}`,
    '  with:',
    ...(source.noun === 'volume' ? [] : [`    database-url: \${{ secrets.${secret} }}`]),
    '    encryption-key: ${{ secrets.LIFEBOAT_ENCRYPTION_KEY }}',
    `    destination: ${yamlWord(content.destination)}`,
    `    set: ${yamlWord(content.set)}`,
    `    snapshot: ${content.snapshot}`,
    ...selection(source).map(([input, value]) => `    ${input}: ${yamlWord(value)}`),
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

/** How to get at a snapshot: the commands and workflow steps that reports end with. Pure. */
import { destinationHelp } from '../stores/destination.ts'
import type { TextContext } from './context.ts'

/** Where a store is, as the inputs of the next command give it. */
export interface Whereabouts {
  /** `artifact`, `file:/mnt/backups`. */
  destination: string
  set: string
}

/** The sources of a snapshot. */
export interface SnapshotContent extends Whereabouts {
  snapshot: string
  databases: readonly string[]
  volumes?: readonly string[]
  /** Of one database: the name that confirms that it is replaced. Default: its name in the backup. */
  confirm?: string
  /** A restore takes only what is whole. */
  partly?: boolean
  /** The backup lacks a part of its sources, so that it takes the place of no database. */
  partial?: boolean
}

type Names = Pick<SnapshotContent, 'databases' | 'volumes' | 'confirm' | 'partly' | 'partial'>

export const severalSources = ({ databases, volumes = [] }: Names): boolean => databases.length + volumes.length > 1

/** More lines than anyone copies. */
const MOST_VOLUMES = 20

/** The target of the restore that is shown: `a database that exists`, `new databases and an empty folder`. */
export function restoreInto({ databases, volumes = [], partly = false, partial = false }: Names): string {
  if (databases.length === 1 && volumes.length === 0) {
    if (partly) return 'a new database'
    return partial ? `a new database (it is PARTIAL, and ${LOSES})` : 'a database that exists (mode create makes a new one)'
  }
  const database = databases.length > 1 ? 'new databases' : volumes.length > 0 ? 'a new database' : 'an empty database'
  const volume = volumes.length > 1 ? 'empty folders' : 'an empty folder'
  // Without the key it is not known what a snapshot has.
  return [...(databases.length > 0 || volumes.length === 0 ? [database] : []), ...(volumes.length > 0 ? [volume] : [])].join(' and ')
}

const LOSES = 'a database in whose place it is put loses the rest'

/** The volumes for which no target is shown. */
export function volumesNotShown({ volumes = [] }: Names): number {
  return Math.max(0, volumes.length - MOST_VOLUMES)
}

/** The inputs of a restore of everything in a snapshot that say what and where to, beside DATABASE_URL; several values have a line each. */
function selection({ partly = false, partial = false, ...names }: Names): [input: string, value: string | readonly string[]][] {
  return [...places(names, partly || partial), ...(partly ? [['skip-damaged', 'true'] satisfies [string, string]] : [])]
}

/** `made`: a database is restored into a new one. */
function places({ databases, volumes = [], confirm }: Names, made: boolean): [input: string, value: string | readonly string[]][] {
  if (!severalSources({ databases, volumes })) {
    const database = (name: string): [string, string][] => (
      made ? [['mode', 'create']] : [['mode', 'swap'], ['confirm', confirm ?? name]])
    return [...volumes.map((name) => ['target', `./${name}`] satisfies [string, string]), ...databases.flatMap(database)]
  }
  const map = volumes.slice(0, MOST_VOLUMES).map((name) => `${name}=./${name}`)
  return [
    ['all', 'true'],
    ...(databases.length > 0 ? [['mode', 'create'] satisfies [string, string]] : []),
    ...(map.length > 0 ? [['map', map] satisfies [string, string[]]] : []),
  ]
}

/** The environment variables that a restore at a terminal needs, as a sentence has them. */
export function restoreVariables(
  { destination, databases = [], volumes = [] }: Pick<Whereabouts, 'destination'> & Partial<Names>,
  quote: (name: string) => string = (name) => name,
): string {
  const target = severalSources({ databases, volumes }) ? 'the target server, without the name of a database' : 'the target'
  const names = [
    quote('LIFEBOAT_ENCRYPTION_KEY'),
    ...(databases.length > 0 || volumes.length === 0 ? [`${quote('DATABASE_URL')} (${target})`] : []),
    ...(destinationHelp(destination)?.variables ?? []).map((name) => quote(name)),
  ]
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}` : names[0]!
}

/** A command line that restores everything in a snapshot; the secrets come from the environment. `separator` stands between its options. */
export function restoreCommand(program: string, content: SnapshotContent, separator = ' '): string {
  return [
    `${program} restore`,
    ...snapshotOptions(content),
    ...selection(content).flatMap(([input, value]) =>
      value === 'true' ? [`--${input}`] : [value].flat().map((one) => `--${input} ${shellWord(one)}`)),
  ].join(separator)
}

/** The same, indented, as a text ends with it: where it is wider than the terminal, with a line for each option. */
export function shownRestore({ program, width }: Pick<TextContext, 'program' | 'width'>, content: SnapshotContent): string {
  const line = `  ${restoreCommand(program, content)}`
  return width === undefined || line.length <= width ? line : `  ${restoreCommand(program, content, ' \\\n    ')}`
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

/** A step of a workflow that restores everything in a snapshot. `action` is `owner/repository` and `reference` what follows `@`. */
export function restoreStep(action: string, reference: string, content: SnapshotContent): string {
  const permissions = destinationHelp(content.destination)?.permissions
  return [
    ...(permissions === undefined ? [] : [`# permissions of the job: ${permissions}`]),
    `- uses: ${action}/restore@${reference}`,
    '  with:',
    ...(content.databases.length === 0 ? [] : ['    database-url: ${{ secrets.RESTORE_DATABASE_URL }}']),
    '    encryption-key: ${{ secrets.LIFEBOAT_ENCRYPTION_KEY }}',
    `    destination: ${yamlWord(content.destination)}`,
    `    set: ${yamlWord(content.set)}`,
    `    snapshot: ${content.snapshot}`,
    ...selection(content).flatMap(([input, value]) => (typeof value === 'string'
      ? [`    ${input}: ${value === 'true' ? value : yamlWord(value)}`]
      : [`    ${input}: ${yamlLines(value)}`])),
  ].join('\n')
}

/** A word that a POSIX shell takes as it is. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** Lines as a YAML scalar, each on a line of its own where they can be told apart. */
function yamlLines(lines: readonly string[]): string {
  if (!lines.every((line) => /^[^\s\p{C}][^\p{C}\p{Zl}\p{Zp}]*$/u.test(line))) return yamlWord(lines.join('\n'))
  return ['|', ...lines.map((line) => `      ${withoutExpressions(line)}`)].join('\n')
}

/** A YAML scalar; JSON strings are YAML. A `${{` in it would be an expression. */
export function yamlWord(word: string): string {
  const plain = /^[A-Za-z/][A-Za-z0-9@%+=:,./_-]*[A-Za-z0-9/]$/.test(word) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(word)
  return plain ? word : withoutExpressions(JSON.stringify(word))
}

const withoutExpressions = (text: string): string => text.replaceAll('${{', "${{ '${{' }}")

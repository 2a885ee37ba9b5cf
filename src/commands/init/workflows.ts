import { yamlWord } from '../../report/recipe.ts'
import { officialImage } from '../../sources/postgres/client-download/official-images.ts'
import { examples } from './examples.ts'

export interface TimeOfDay {
  hour: number
  minute: number
}

/** Everything that the workflows of two repositories differ in. */
export interface WorkflowPlan {
  action: string
  set: string
  databases: readonly { name: string; secret: string }[]
  /** Undefined for the default, the artifacts of the repository. */
  destination: { text: string; secret: boolean } | undefined
  /** Variables that every step gets. */
  credentials: readonly string[]
  settings: readonly (readonly [name: string, value: string])[]
  recipients: readonly string[]
  retention: string
  runner: string
  /** The major version of the newest server; undefined leaves that of the example. */
  major: number | undefined
  times: Readonly<Record<Scheduled, TimeOfDay>>
}

/** The action that the examples use: `owner/name`, and the version. */
const [, exampleName = '', exampleVersion = ''] = /^ {8}uses: (\S+)@(\S+)$/m.exec(examples.backup) ?? []

const OWN_STEP = new RegExp(String.raw`^( {8}uses: )${exampleName.replaceAll('.', '\\.')}((?:/\w+)?)@\S+\n( {8}with:\n)`, 'gm')

/** The action of this version; undefined before it has a place at GitHub. */
export function ownAction(): string | undefined {
  return exampleName.startsWith('OWNER/') ? undefined : `${exampleName}@${exampleVersion}`
}

export type Scheduled = 'backup' | 'drill' | 'freshness'

/** The workflows by the names of their files. Pure. */
export function workflowsOf(plan: WorkflowPlan): Record<string, string> {
  const database = yamlWord(plan.databases[0]!.name)
  return {
    'lifeboat-backup.yml': backupWorkflow(plan),
    'lifeboat-drill.yml': drillWorkflow(plan),
    'lifeboat-freshness.yml': freshnessWorkflow(plan),
    'lifeboat-restore.yml': changed(common(examples.restore, plan), [/^ {8}default: app$/m, () => `        default: ${database}`]),
  }
}

function backupWorkflow(plan: WorkflowPlan): string {
  const { databases, destination, recipients, retention, times } = plan
  const lines = databases.map(({ name, secret }) => `            ${name}=\${{ secrets.${secret} }}\n`).join('')
  const place = destination === undefined ? undefined : destination.secret ? 'the store' : destination.text
  return scheduled(common(changed(
    examples.backup,
    [/^( {10}database-url: \|\n)(?: {12}.+\n)+/m, (_: string, head: string) => `${head}${lines}`],
    [/^ {10}retention: .*$/m, `          retention: ${retention.split(/[\s,]+/).join(' ')}`],
    ...(recipients.length === 0 ? [] : [
      [/^ {10}encryption-key: .*$/m, (key: string) => `${key}\n          recipients: ${recipients.join(', ')}`] as const,
    ]),
    ...(place === undefined ? [] : [
      [/^# Every night: .*$/m, () => `# Every night: back up to ${place}, and check that all of it is there.`] as const,
      // Only artifacts need it.
      [/^ {4}permissions:\n {6}#.*\n {6}actions: read\n/m, ''] as const,
    ]),
  ), plan), times.backup)
}

const OWN_SERVER = [
  '# Every week: restore the newest backup into a server of its own, which Lifeboat starts without a port, and compare everything with',
  '# what was backed up. Extensions that do not come with PostgreSQL need a server that has them (scratch-url).',
  '',
].join('\n')

function drillWorkflow(plan: WorkflowPlan): string {
  const { major, times, runner } = plan
  // The port of a service may be taken there, by the database itself for instance; and docker may be missing.
  const isOwnMachine = !runner.startsWith('ubuntu-')
  return scheduled(common(changed(
    examples.drill,
    // An example: not every database has such tables.
    [/^ {10}# A condition .*\n {10}assert-sql: \|\n(?: {12}.+\n)+/m, ''],
    ...(isOwnMachine ? [
      [/^# Every week, [^]*?(?=^name: )/m, OWN_SERVER] as const,
      [/^ {4}services:\n(?: {6}.*\n)+/m, ''] as const,
      [/^ {10}scratch-url: .*\n/m, ''] as const,
    ] : major === undefined ? [] : [[/^( {8}image: )postgres:\S+$/m, `$1${officialImage(major)}`] as const]),
  ), plan), times.drill)
}

function freshnessWorkflow(plan: WorkflowPlan): string {
  // The drill is the proof that the example leaves to its reader.
  const text = changed(examples.freshness, [/^ {10}# With weekly-.*\n {10}# (max-proof-age: .*)$/m, '          $1'])
  return scheduled(common(text, plan), plan.times.freshness)
}

/** The changes that all workflows have in common. */
function common(text: string, { action, set, destination, credentials, settings, runner }: WorkflowPlan): string {
  const [name, version] = action.split('@')
  const variables = [
    ...settings.map(([setting, value]) => `          ${setting}: ${yamlWord(value)}\n`),
    ...credentials.map((name) => `          ${name}: \${{ secrets.${name} }}\n`),
  ].join('')
  const place = destination?.secret ? '${{ secrets.LIFEBOAT_DESTINATION }}' : destination && yamlWord(destination.text)
  return text
    .replaceAll(/^ {10}# (?:Of backups elsewhere |destination: ).*\n/gm, '')
    .replaceAll(OWN_STEP, (_, uses: string, folder: string, inputs: string) => [
      `${uses}${name}${folder}@${version}\n`,
      ...(variables === '' ? [] : [`        env:\n${variables}`]),
      inputs,
      ...(place === undefined ? [] : [`          destination: ${place}\n`]),
    ].join(''))
    .replaceAll(/^ {10}set: production$/gm, `          set: ${yamlWord(set)}`)
    .replaceAll(/^ {2}group: lifeboat-production$/gm, `  group: lifeboat-${set}`)
    .replaceAll(/^ {4}runs-on: .*$/gm, `    runs-on: ${runner}`)
}

/** The schedule keeps its days. */
function scheduled(text: string, { hour, minute }: TimeOfDay): string {
  return changed(text, [/^( *- cron: )'\d+ \d+ (.*)'$/m, `$1'${minute} ${hour} $2'`])
}

type Change = readonly [pattern: RegExp, by: string | ((...found: string[]) => string)]

/** Throws if the example has changed, and a change finds no place in it. */
function changed(text: string, ...changes: readonly Change[]): string {
  return changes.reduce((text, [pattern, by]) => {
    if (!pattern.test(text)) throw new Error(`the example has nothing like ${pattern.source}`)
    return typeof by === 'string' ? text.replace(pattern, by) : text.replace(pattern, (...found: string[]) => by(...found))
  }, text)
}

import { randomInt } from 'node:crypto'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { databases as databaseList, parseDatabaseLine } from '../../inputs/database-urls.ts'
import { recipients as recipientList } from '../../inputs/schemas.ts'
import { checkRecipient } from '../../repository/keys.ts'
import { type Destination, destinationHelp, destinationSecrets, isLostWithRunner, parseDestination } from '../../stores/destination.ts'
import {
  BACKUP_WORKFLOW, chosenByFile, type Earlier, earlierAnswers, earlierTime, missUnknown, movedFrom, requireChosen,
} from './earlier.ts'
import { textInCheckout, WORKFLOWS } from './files.ts'
import { ghState, type GhState, checkoutHere, repositoryOfGh, secretsThere } from './github.ts'
import type { InitInputs } from './inputs.ts'
import { Questions } from './questions.ts'
import { tracesIn, tracesText } from './traces.ts'
import { ownAction, type WorkflowPlan, type Scheduled, type TimeOfDay } from './workflows.ts'
import { marked } from '../../marks.ts'
import { kindAt } from '../../sources/known-kinds.ts'
import type { Confirmed } from '../../sources/nouns.ts'

/** A secret of the repository. `value`: undefined if this run does not know it. */
export interface RepositorySecret {
  name: string
  value: string | undefined
}

/** Everything that is known before anything is tried or changed. */
export interface Answers {
  /** The top of the checkout. */
  top: string
  repository: string
  gh: GhState
  /** Names of the secrets that the repository has; undefined if that is not known. */
  there: ReadonlySet<string> | undefined
  destination: Destination
  /** As it was given, with what is secret in it. */
  destinationText: string
  /** `name=postgres://…`, one per line. */
  databaseText: string
  databases: readonly ({ name: string; secret: string; url: string } & Confirmed)[]
  /** The destination of the workflow that is there, if it is another one. */
  movedFrom: string | undefined
  /** Undefined: one is made, or the repository has one. */
  key: string | undefined
  /** Backups may exist, with a key that is a secret of the repository, of its organization, or of an environment. */
  mayHaveKey: boolean
  plan: Omit<WorkflowPlan, 'major'>
  /** The credentials of the store, for workflows. */
  credentials: readonly RepositorySecret[]
}

export const KEY_SECRET = 'LIFEBOAT_ENCRYPTION_KEY'
const DESTINATION_SECRET = 'LIFEBOAT_DESTINATION'

/** Finds or asks for everything. Throws (status 2) with all that is missing if nobody is there to be asked. */
export async function answersOf(inputs: InitInputs, questions: Questions, environment: Environment): Promise<Answers> {
  const { given } = inputs
  const checkout = await checkoutHere(environment)
  if (!checkout) questions.miss('a git repository around the current folder, into which the workflows are written')
  const top = checkout?.top ?? '.'
  const gh = inputs.permission.setSecrets ? await ghState(environment) : 'not installed'
  const workflow = (name: Scheduled): string | undefined => textInCheckout(top, `${WORKFLOWS}/lifeboat-${name}.yml`)
  const earlier = await earlierAnswers(checkout ? workflow('backup') : undefined)
  await requireChosen(chosenByFile(earlier, given, ownAction()), questions)

  const repository = given.repository ?? checkout?.repository ?? (gh === 'ready' ? await repositoryOfGh(environment) : undefined) ??
    await questions.text('repository', 'The repository at GitHub (owner/name): ')
  const action = given.action ?? earlier.action ?? ownAction() ??
    await questions.text('action', ACTION_QUESTION)
  const databaseText = given.databases ?? await databasesAsked(top, questions)
  const unknown = earlier.unknown.filter((name) => ({ ...inputs, ...given })[name] === undefined)
  missUnknown(unknown, questions)
  const destinationText = given.destination ?? earlier.destination ??
    await destinationAsked(repository, unknown.includes('destination'), questions)
  const there = gh === 'ready' ? await secretsThere(repository, environment) : undefined
  const mayHaveKey = there?.has(KEY_SECRET) || earlier.found
  const key = given.key ?? await keyAsked(mayHaveKey, questions)
  const recipients = await recipientsOf(given.recipients, inputs.permission.noRecovery, earlier, questions)
  if (!questions.answered && !inputs.permission.yes) questions.miss(marked`‹yes›, because nobody is there to agree to the changes`)
  questions.requireAll()

  const destination = parseDestination(destinationText)
  const set = inputs.set ?? earlier.set ?? 'production'
  const databases = namedDatabases(databaseText)
  const secret = destinationSecrets(destinationText).length > 0
  const credentials = [
    ...(secret ? [{ name: DESTINATION_SECRET, value: destinationText }] : []),
    ...(secret ? [] : credentialsOf(destinationText, environment.variables)),
  ]
  return {
    top, repository, gh, there, destination, destinationText, databases, key, mayHaveKey, credentials,
    movedFrom: movedFrom(earlier, destination, secret),
    databaseText: databases.map(({ name, url }) => `${name}=${url}`).join('\n'),
    plan: {
      action,
      set,
      databases,
      destination: destination.immutable ? undefined : { text: destination.text, secret },
      credentials: credentials.map(({ name }) => name).filter((name) => name !== DESTINATION_SECRET),
      settings: settingsOf(destinationText, environment.variables),
      recipients,
      retention: inputs.retention ?? earlier.retention ?? (destination.immutable ? '30d' : 'daily=7 weekly=4 monthly=6 drilled=1'),
      runner: inputs.runner ?? earlier.runner ?? (isLostWithRunner(destination) ? 'self-hosted' : 'ubuntu-24.04'),
      times: timesOf(inputs.time ?? earlier.at ?? { hour: 2, minute: anyMinute() }, {
        drill: await earlierTime(workflow('drill')), freshness: await earlierTime(workflow('freshness')),
      }),
    },
  }
}

const ACTION_QUESTION = [
  '',
  'Which Lifeboat do the workflows run? They name it in `uses`: the repository at GitHub with its action.yml, yours or that of somebody',
  'whom you trust, and a tag or commit of it, like octo/lifeboat@v1.2.3. It will see the key and the databases.',
  'Action (owner/name@version): ',
].join('\n')

async function destinationAsked(repository: string, hidden: boolean, questions: Questions): Promise<string> {
  if (!hidden) return questions.text('destination', placeQuestion(repository), 'artifact')
  // `missUnknown` tells that it is missing.
  if (!questions.answered) return ''
  return questions.text('destination', `\n${BACKUP_WORKFLOW} has its destination from a secret or from elsewhere. Its address: `)
}

function placeQuestion(repository: string): string {
  return [
    '',
    'Where do the backups go? Enter for the artifacts of the repository; or an address: s3://BUCKET/PREFIX?region=…, azblob://…, sftp://…,',
    `webdavs://…, or a folder. docs/stores.md has them all.`,
    `Destination [artifact, of ${repository}]: `,
  ].join('\n')
}

/** The URL is typed or pasted without being shown, or taken from a file of the project. */
async function databasesAsked(top: string, questions: Questions): Promise<string> {
  const traces = tracesIn(top)
  const { variables } = traces
  const text = tracesText(traces)
  if (!questions.answered) {
    questions.miss(marked`‹database-url›${text === '' ? '' : ` (${text})`}`)
    return ''
  }
  const [first] = variables
  const several = variables.length > 1
  const found = several ? ['Found:', ...variables.map(({ file, name }, at) => `  ${at + 1}. ${name} of ${file}`)]
    : text === '' ? [] : [`Found: ${text}.`]
  const numbers = several ? ', or the numbers of those found (1 2)' : ''
  const enter = first === undefined ? '' : `, or Enter for ${first.name} of ${first.file}`
  const question = `The URL of the database${numbers}${enter}; several: paste one per line (your input is not shown): `
  return questions.text('database-url', [...found, question].join('\n'), first?.value, (line) => chosenOf(line, variables))
}

/** The URLs that the numbers of a line stand for, from 1 on; the line itself if it has something else. Pure. */
export function chosenOf(line: string, found: readonly { value: string }[]): string {
  const chosen = line.trim().split(/[\s,]+/).map((word) => (/^\d{1,3}$/.test(word) ? found[Number(word) - 1]?.value : undefined))
  return chosen.some((value) => value === undefined) ? line : [...new Set(chosen)].join('\n')
}

async function keyAsked(mayHaveKey: boolean, questions: Questions): Promise<string | undefined> {
  // A repository that has a key keeps it: backups that exist need it.
  if (mayHaveKey) return undefined
  if (!questions.answered) {
    questions.miss(marked`‹encryption-key›, because a new one can only be shown at a terminal`)
    return undefined
  }
  const question = '\nYour key, if you have one already; Enter makes a new one (your input is not shown): '
  return await questions.text('encryption-key', question, '') || undefined
}

/** `none`: the user wants no other recipient than the key. */
async function recipientsOf(
  given: readonly string[] | undefined, none: boolean, earlier: Earlier, questions: Questions,
): Promise<readonly string[]> {
  if (given && none) {
    throw new LifeboatError(marked`‹recipients› and ‹no-recovery-recipient› are both given`, { hint: 'Leave out one.', status: 2 })
  }
  if (given) return given.map(checkRecipient)
  if (none) return []
  if (earlier.found) return recipientList.parse(earlier.recipients ?? '').map(checkRecipient)
  const question =
    '\nA recovery recipient opens the backups as well, if your key is lost: an age public key (age1…) whose identity is in a safe.\n' +
    'Recovery recipient, or Enter for none: '
  if (!questions.answered) {
    questions.miss(marked`‹recipients›, or ‹no-recovery-recipient› if only your key is to open the backups`)
    return []
  }
  return recipientList.parse(await questions.text('recipients', question, '')).map(checkRecipient)
}

/** Each database with the secret that its URL is in: one has DATABASE_URL, several the name before it. */
export function namedDatabases(text: string): Answers['databases'][number][] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const secrets: string[] = []
  return databaseList.parse(text).map(({ name, ...location }, index) => {
    const word = name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_').replace(/^(?=\d|GITHUB_)/, 'DB_')
    const wanted = lines.length === 1 ? 'DATABASE_URL' : `${word}_DATABASE_URL`
    const secret = secrets.includes(wanted) ? `${wanted}_${index + 1}` : wanted
    secrets.push(secret)
    const original = kindAt(location).defaultName?.(location)
    return {
      name, secret, url: parseDatabaseLine(lines[index]!).url, ...(original !== undefined && original !== name && { confirm: original }),
    }
  })
}

/** The way to give credentials of which most is known here; the usual one if nothing is. */
function credentialsOf(destination: string, variables: Environment['variables']): RepositorySecret[] {
  const ways = destinationHelp(destination)?.credentials ?? []
  const complete = ways.filter((way) => way.every((name) => variables[name])).toSorted((a, b) => b.length - a.length)
  return (complete[0] ?? ways[0] ?? []).map((name) => ({ name, value: variables[name] || undefined }))
}

function settingsOf(destination: string, variables: Environment['variables']): [string, string][] {
  return (destinationHelp(destination)?.settings ?? []).flatMap((name) => (variables[name] ? [[name, variables[name]]] : []))
}

/** Not on the hour, when everyone's jobs start. */
const anyMinute = (): number => randomInt(5, 56)

function timesOf(backup: TimeOfDay, earlier: Partial<Record<Scheduled, TimeOfDay | undefined>>): Record<Scheduled, TimeOfDay> {
  return {
    backup,
    drill: earlier.drill ?? { hour: (backup.hour + 1) % 24, minute: anyMinute() },
    freshness: earlier.freshness ?? { hour: (backup.hour + 5) % 24, minute: anyMinute() },
  }
}

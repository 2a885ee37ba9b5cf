import { InvalidValue } from '../../error.ts'
import { databaseInput, databasesExpected } from '../../inputs/database.ts'
import { databases as databaseList } from '../../inputs/database-urls.ts'
import { flagInput } from '../../inputs/display.ts'
import { commandInputs, group, one, type SlicesOf } from '../../inputs/group.ts'
import type { Input } from '../../inputs/input.ts'
import { encryptionKey } from '../../inputs/key.ts'
import { retentionInput } from '../../inputs/pruning.ts'
import * as schema from '../../inputs/schemas.ts'
import { setInput } from '../../inputs/snapshot.ts'
import { destinationInput } from '../../inputs/store.ts'
import { parseEncryptionKey } from '../../repository/keys.ts'
import { parseDestination } from '../../stores/destination.ts'
import { completeDatabaseFromVariables, locationPatterns } from '../../sources/known-kinds.ts'

/** The text of an input that `parse` takes: workflows get it as it was given. */
function textFor(parse: (text: string) => unknown): typeof schema.description {
  return schema.parsing((text) => {
    parse(text)
    return text.trim()
  })
}

function matching(pattern: RegExp, instead: string): typeof schema.description {
  return textFor((text) => {
    if (!pattern.test(text.trim())) throw new InvalidValue(`${schema.quote(text)} is not ${instead}`)
  })
}

/** The inputs that are asked for if they are not given. */
export const questions = {
  repository: {
    help: 'The repository whose workflows make the backups. Default: that of the remote origin, or the one that gh tells.',
    expected: 'owner/name',
    example: 'octo/shop',
    schema: matching(/^[\w.-]+\/[\w.-]+$/, 'owner/name'),
    variable: 'GITHUB_REPOSITORY',
  },
  action: {
    help: 'The action that the workflows use, and its version. Default: this version.',
    expected: 'owner/name@version',
    example: 'octo/lifeboat@v1.2.3',
    schema: matching(/^[\w.-]+\/[\w.-]+@[\w./-]+$/, 'owner/name@version'),
  },
  'database-url': {
    ...databaseInput,
    help: `The databases to back up, one per line, each optionally preceded by name=: ${locationPatterns('database')}.`,
    expected: databasesExpected,
    schema: textFor((text) => {
      const parsed = databaseList.safeParse(text)
      if (!parsed.success) throw new InvalidValue(parsed.error.issues[0]!.message)
    }),
    list: true,
    fallback: completeDatabaseFromVariables,
  },
  destination: {
    ...destinationInput,
    schema: textFor(parseDestination),
    default: undefined,
    help: `${destinationInput.help} Default: artifact.`,
  },
  'encryption-key': {
    ...encryptionKey,
    help: 'A key that exists already. If it is not given, a new one is made, and shown once, at a terminal.',
    schema: textFor(parseEncryptionKey),
  },
  recipients: {
    help: 'Age recipients that every backup is encrypted to as well, so that a lost key is not a lost backup.',
    expected: 'age recipients (age1…), separated by commas or line ends',
    example: 'age1…, as `lifeboat key new` prints it',
    schema: schema.recipients,
    list: true,
  },
} as const satisfies Record<string, Input>

const time = group(
  {
    at: {
      help: 'When the backup begins every day, in UTC. Default: a minute by chance between two and three, so that not all begin at once.',
      expected: 'a time of the day, HH:MM',
      example: '02:17',
      schema: matching(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of the day like 02:17'),
    },
  },
  ({ at }) => {
    const [hour, minute] = at?.split(':').map(Number) ?? []
    return hour === undefined || minute === undefined ? undefined : { hour, minute }
  },
)

/** Answers to everything that is asked in between. */
const permission = group(
  {
    yes: { ...flagInput, help: 'Answer yes to the question whether the changes that are shown are to be made.', short: 'y' },
    force: { ...flagInput, help: 'Replace workflows that differ, and secrets that are there already, except for the key.' },
    'replace-key': {
      ...flagInput, help: 'Replace the key in the secrets of the repository by the one that is given. Backups that exist need the old one.',
    },
    'ignore-problems': {
      ...flagInput,
      help: 'Go on although doctor found a problem from here: the workflow may reach what this machine does not. No backup is made now.',
    },
    'no-recovery-recipient': {
      ...flagInput,
      help:
        'Make backups that your key alone opens: if it is lost, nobody can read them. Without a terminal, this or recipients has to be ' +
        'given.',
    },
    'set-secrets': { ...flagInput, help: 'Set the secrets of the repository, if gh is there and logged in.', default: 'true' },
    'first-backup': { ...flagInput, help: 'Make the first backup at once, and read every byte of it back.', default: 'true' },
  },
  (values) => ({
    yes: values.yes,
    force: values.force,
    replaceKey: values['replace-key'],
    ignoreProblems: values['ignore-problems'],
    noRecovery: values['no-recovery-recipient'],
    setSecrets: values['set-secrets'],
    firstBackup: values['first-backup'],
  }),
)

export const inputs = commandInputs({
  given: group(questions, (values) => ({
    repository: values.repository,
    action: values.action,
    databases: values['database-url'],
    destination: values.destination,
    key: values['encryption-key'],
    recipients: values.recipients,
  })),
  set: one('set', { ...setInput, help: `${setInput.help} Default: production.` }),
  retention: one('retention', {
    ...retentionInput,
    help: 'Which backups to keep. Default: 30d in artifacts, daily=7 weekly=4 monthly=6 drilled=1 elsewhere.',
    schema: textFor((text) => {
      const parsed = schema.retention.safeParse(text)
      if (!parsed.success) throw new InvalidValue(parsed.error.issues[0]!.message)
    }),
  }),
  runner: one('runner', {
    help: 'The label of the runner of the workflows. Default: ubuntu-24.04; for a folder, self-hosted.',
    expected: 'a label of runners',
    example: 'self-hosted',
    schema: matching(/^[\w.-]+$/, 'a label of runners'),
  }),
  time,
  permission,
})

export type InitInputs = SlicesOf<typeof inputs>

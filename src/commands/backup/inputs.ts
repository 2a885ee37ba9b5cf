import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { choiceOf, databaseChoiceInput } from '../../inputs/chosen-databases.ts'
import { requirePatternsOf, volumes } from '../../inputs/chosen-volumes.ts'
import { clientInstall, databaseInput, databases, databasesExpected, requireDatabase } from '../../inputs/database.ts'
import { jobs, retentionTimeZone } from '../../inputs/display.ts'
import { commandInputs, group, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { backupOptions, drillOptions, requireDrill } from '../../inputs/kind-options.ts'
import { notify } from '../../inputs/notify.ts'
import { missingInput } from '../../inputs/parse.ts'
import { part, PLAN_TAG, TAGS_OF_PART } from '../../inputs/plan.ts'
import { pruning, retentionInput } from '../../inputs/pruning.ts'
import { report } from '../../inputs/report.ts'
import * as schema from '../../inputs/schemas.ts'
import { set, tagsInput } from '../../inputs/snapshot.ts'
import { attest } from '../../inputs/attest.ts'
import { access, create, destinations, requireStores } from '../../inputs/store.ts'
import { LEVELS } from '../../repository/levels.ts'
import { isSafetySet } from '../../repository/safety-set.ts'
import { MOST_TAGS } from '../../repository/snapshot.ts'
import { requireServers } from '../sets/server-databases.ts'

const hooks = group(
  {
    'stop-containers': {
      help:
        'Docker containers that are stopped while the backup reads, and started again in every case: names, or label=NAME or ' +
        'label=NAME=VALUE, separated by commas or line ends.',
      expected: 'names of containers or label=NAME[=VALUE], separated by commas or line ends',
      example: 'app, label=backup=stop',
      schema: schema.containers,
      default: '',
      list: true,
    },
    'stop-mode': {
      help: 'How stop-containers are stopped: stop ends their programs, pause suspends them.',
      expected: 'stop or pause',
      example: 'pause',
      schema: schema.oneOf('stop', 'pause'),
      default: 'stop',
    },
    'pre-command': {
      code: true,
      help: 'A shell command that runs before anything is read. If it fails, the backup fails.',
      expected: 'a command for sh',
      example: 'app maintenance on',
      schema: schema.text,
      default: '',
    },
    'post-command': {
      code: true,
      help: 'A shell command that runs when everything has been read, and also when the backup fails, is cancelled or killed.',
      expected: 'a command for sh',
      example: 'app maintenance off',
      schema: schema.text,
      default: '',
    },
  },
  (values) => ({
    containers: values['stop-containers'],
    mode: values['stop-mode'],
    before: values['pre-command'],
    after: values['post-command'],
  }),
)

const artifacts = group(
  {
    'staging-limit': {
      help:
        'For artifacts: how much disk space a backup may take for what it uploads. Whenever an eighth of it is filled (a quarter in ' +
        'large backups), that is uploaded as a part, while the backup goes on. There are at most 499 parts, so a backup can add about ' +
        '120 times this size.',
      expected: 'a number and a unit (MiB or GiB), from 64MiB to 1024GiB',
      example: '4GiB',
      schema: schema.diskSpace,
      default: '2GiB',
    },
    'full-every': {
      help:
        'For artifacts: a backup stores everything again when what it would reuse is older than this, so that a lost artifact costs only ' +
        'the snapshots of that time. Default: a quarter of the time that the retention keeps snapshots whole, at most 14 days.',
      expected: 'a number and a unit (d, w or y), from 1d to 10y, or never',
      example: '14d',
      schema: schema.interval,
    },
  },
  (values) => ({ stagingLimit: values['staging-limit'], fullEvery: values['full-every'] }),
)

const sealing = group(
  {
    'compression-level': {
      help:
        'The level of zstd, from 1 to 19. auto tries 1 and 3 on each stream, again whenever its content changes, and takes 3 where that ' +
        'stores at least 2 % less. A higher level takes many times as long: of a dump of 99 MB, 1, 3, 9 and 19 took 0.2, 0.35, 1.9 and ' +
        '49 s of CPU time and stored 29, 25, 23 and 20 MB; of a log of 50 MB, 3 and 9 stored more than 1. fast takes about 0.8 of the ' +
        'CPU time that compression takes at 1, and stores 1.6 to 3 times as much.',
      expected: 'auto, fast, or a whole number from 1 to 19',
      example: '1',
      schema: schema.wordOrNumber(['auto', 'fast'], 1, 19),
      default: 'auto',
    },
    jobs: {
      ...jobs,
      help:
        'How many threads compress and encrypt, in addition to the thread that reads. 2 can take a fifth less time for the first ' +
        'backup of files, and 50 MiB more.',
      default: '1',
    },
  },
  (values) => ({ compression: values['compression-level'], jobs: values.jobs }),
)

export const inputs = commandInputs(
  {
    databases: databases('The databases to back up'),
    choice: one('databases', {
      ...databaseChoiceInput,
      help:
        'For URLs of servers without a database: which of their databases to back up, each into a set of its own, as in the action plan. ' +
        'Volumes get sets of their own too.',
    }),
    part: one('part', {
      once: true,
      help:
        'In a job of a plan: its item of the matrix, ${{ toJSON(matrix) }}. The databases and volumes that it names are backed up, each ' +
        'into a set of its own; database-url and volumes say where they are, as in the action plan.',
      expected: 'an item of the matrix of a plan, as JSON',
      example: '{"plan":"20261120T020000Z-5f3a9c1e","databases":["app","crm"],"volumes":[]}',
      schema: part,
    }),
    volumes,
    ...backupOptions,
    hooks,
    key: requiredKey(),
    destinations: destinations('Several, one per line: each gets the whole backup.'),
    destinationsRequired: one('destinations-required', {
      help:
        'With several destinations: all fails the step if one of them could not be reached or written, although the others have ' +
        'the backup; one only warns then.',
      expected: 'all or one',
      example: 'one',
      schema: schema.oneOf('all', 'one'),
      default: 'all',
    }),
    create,
    set,
    recipients: one('recipients', {
      help:
        'More age recipients that every object is encrypted to, so that a lost key is not a lost backup. Give them in every ' +
        'backup: a recipient that is left out cannot open it, which causes a warning.',
      expected: 'age recipients (age1…), separated by commas or line ends',
      example: 'age1…, as `lifeboat key new` prints it',
      schema: schema.recipients,
      default: '',
      list: true,
    }),
    tags: one('tags', {
      ...tagsInput,
      help: 'Words kept with the snapshot, separated by commas or line ends. They are stored unencrypted.',
    }),
    description: one('description', {
      help: 'A sentence kept with the snapshot, encrypted.',
      expected: 'at most 1000 characters',
      example: 'before the migration to 2.0',
      schema: schema.description,
      default: '',
    }),
    verify: group(
      {
        verify: {
          help:
            'How the new snapshot is read back: list (everything is there, the archive is readable), read (every byte), drill (restored ' +
            'and compared), or none. Default: list, or drill with drill: true.',
          expected: 'none, list, read or drill',
          example: 'read',
          schema: schema.oneOf('none', ...LEVELS),
        },
        drill: {
          own: true,
          help:
            'The same as verify: drill: the new snapshot is restored, databases into a scratch server, volumes into folders, and ' +
            'everything is compared with what was backed up.',
          expected: 'true or false',
          example: 'true',
          schema: schema.flag,
          flag: true,
        },
      },
      ({ verify, drill }) => {
        if (verify !== undefined && drill !== undefined && drill !== (verify === 'drill')) {
          throw wrong(`drill is ${drill}, and verify is ${verify}: they contradict each other`,
            marked`Leave one of them out: ‹drill: true› means ‹verify: drill›.`)
        }
        return verify ?? (drill ? 'drill' : 'list')
      },
    ),
    attest,
    checkReused: one('check-reused', {
      help:
        'How much of the reused data of the newest backup is read back, chosen at random: a part of its bytes, at least 8 ' +
        'chunks. Damaged chunks are stored again and reported. Default: 2%, and at most 64 MiB. With 0%, or with a write key, ' +
        'which cannot read, only presence and size are checked.',
      expected: 'a percentage from 0% to 100%',
      example: '10%',
      schema: schema.percentage,
    }),
    onShrink: one('on-shrink', {
      help:
        'The reaction to a database, a table, a volume or a bucket that is gone or has less than half of what it had in the ' +
        'newest snapshot of the set: warn, or fail the step. In both cases the snapshot is kept, and this run prunes nothing. ' +
        'Only sources and tables with at least 1,000 rows, 10 files or 1 MB are compared; a table that is gone counts from one row. ' +
        'Removed partitions and renamed tables do not count. A write key compares only the size of the whole.',
      expected: 'warn or fail',
      example: 'fail',
      schema: schema.oneOf('warn', 'fail'),
      default: 'warn',
    }),
    retention: one('retention', {
      ...retentionInput,
      help:
        'Which snapshots of the set to keep. After a verified backup the others are deleted, and later the data that only they ' +
        'needed. For artifacts it is also how long a backup stays whole: at most two thirds of the days that the repository ' +
        'keeps artifacts, by default one third.',
      default: 'none',
    }),
    artifacts,
    pruning,
    ...drillOptions,
    sealing,
    clientInstall,
    access: access(),
    notify,
    report,
    timeZone: retentionTimeZone,
  },
  (slices, variables) => {
    const { databases, volumes } = slices
    if (slices.tags.some((tag) => tag.startsWith(PLAN_TAG))) {
      throw wrong(`tags: a tag begins with ${PLAN_TAG}, which is for those of a plan`, 'Choose another word.')
    }
    if (isSafetySet(slices.set))
      throw wrong(`set: ${slices.set} is the name of a set of safety backups`, 'Choose a name without .safety at its end.')
    if (hasOwnSets(slices)) requireOwnSets(slices, variables)
    else requireSources([...databases.list, ...volumes.list], variables)
    requirePatternsOf(volumes)
    requireDrill('verify', slices.verify, slices)
    if (slices.attest && slices.verify === 'none') {
      throw wrong('attest: there is no verification to attest, as verify is none', marked`Set ‹verify: read›, or leave out ‹attest›.`)
    }
    requireDatabase(databases.tunnel, databases.list.length > 0)
    requireStores(slices, variables)
  },
)

export type BackupInputs = SlicesOf<typeof inputs>

/** Whether each database and volume is backed up into a set of its own. */
export function hasOwnSets({ choice, part }: Pick<BackupInputs, 'choice' | 'part'>): boolean {
  return choice !== undefined || part !== undefined
}

/** Throws if the inputs do not go with sets of their own. */
function requireOwnSets({ databases, choice, part, volumes, set, tags }: BackupInputs, variables: Variables): void {
  if (choice && part) throw wrong('databases and part are both given', marked`Leave out ‹databases›: part names those of the job.`)
  if (set !== 'default') {
    throw wrong(`set: ${set} is given, but with ${part ? 'part' : 'databases'} each database has a set of its own`,
      marked`Leave out ‹set›.`)
  }
  if (tags.length + (part ? TAGS_OF_PART : 0) > MOST_TAGS) {
    throw wrong('tags: there is no room for the two tags of the plan', marked`Leave out one or two of ‹tags›.`)
  }
  // A part of volumes alone asks no server, so a URL that the job has for something else does no harm.
  if (!part || part.databases.length > 0) requireServers(databases.list, choice ?? choiceOf(part!.databases))
  const unknown = part?.volumes.find((name) => !volumes.list.some((one) => one.name === name))
  if (unknown !== undefined) throw wrong(`part: there is no volume ${unknown}`, 'Give the same volumes here as to the action plan.')
  if (databases.list.length > 0 || (part ? part.databases.length === 0 : volumes.list.length > 0)) return
  throw missingInput('database-url', databaseInput, variables)
}

/** Something to back up, each under a name of its own. */
function requireSources(sources: readonly { name: string }[], variables: Variables): void {
  const names = sources.map(({ name }) => name)
  if (names.length === 0)
    throw missingInput('database-url', { ...databaseInput, expected: `${databasesExpected}; or volumes` }, variables)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new LifeboatError(
    `a database and a volume are both named ${JSON.stringify(twice)}`,
    { hint: 'Put a different name= before one of them.', status: 2 },
  )
}

function wrong(message: string, hint: string): LifeboatError {
  return new LifeboatError(message, { hint, status: 2 })
}

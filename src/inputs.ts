import type { z } from 'zod'
import * as schema from './inputs/schemas.ts'
import { nearest } from './inputs/nearest.ts'
import { volumeSecrets } from './inputs/volumes.ts'
import { LifeboatError } from './error.ts'
import { HELPER_IMAGE } from './sources/volumes/docker.ts'
import { levelsText, VERIFIABLE } from './repository/levels.ts'
import { keysIn, likelySecrets, secretsIn } from './report/redaction.ts'
import { addressSecrets } from './net/ssh/address.ts'
import { type Destination, destinationExpected, destinationPatterns, destinationSecrets, requireAccess } from './stores/destination.ts'

export const commands = ['backup', 'restore', 'verify', 'check', 'list', 'prune', 'doctor', 'copy', 'show', 'diff', 'pin', 'unpin', 'tag', 'forget', 'stats', 'key list', 'key add', 'key remove'] as const
export type Command = (typeof commands)[number]

/** One input: what action.yml, the terminal's help, the README and the checks all come from. */
export interface Input {
  /** One or two plain sentences. */
  readonly help: string
  /** What a good value is, read after "expected": `a whole number from 1 to 19`. */
  readonly expected: string
  readonly example: string
  readonly schema: z.ZodType<unknown, string>
  readonly required?: true
  readonly default?: string
  /** The default in action.yml alone, an expression that the runner evaluates. */
  readonly actionDefault?: string
  /** Never shown; may be read from standard input or an environment variable. */
  readonly secret?: true
  /** What is to be masked in the value of an input that is otherwise shown; the value may not be well-formed. */
  readonly secrets?: (text: string) => string[]
  /** Environment variable that is used when the input is not given. */
  readonly variable?: string
  /** At a terminal, may be given without its name; several such inputs in the order of the table, of which the last may be a list. */
  readonly positional?: true
  /** May be given more than once at a terminal. */
  readonly list?: true
  /** `true` or `false`; at a terminal the name alone means `true`. */
  readonly flag?: true
}

const databaseUrl = {
  help: 'The database, as a postgres:// URL with any libpq parameter.',
  expected: 'a URL postgres://user:password@host:port/database',
  example: 'postgres://app:secret@db.example.com:5432/app',
  schema: schema.database,
  secret: true,
  variable: 'DATABASE_URL',
} as const satisfies Input

const encryptionKey = {
  help: 'The key to the store: an age identity (AGE-SECRET-KEY-1…), a passphrase of at least 16 characters, or a write key (lifeboat-write:…), which can back up but not read.',
  expected: 'an age identity, a passphrase of at least 16 characters or a write key',
  example: 'the line AGE-SECRET-KEY-1… that `lifeboat key new` prints',
  schema: schema.text,
  secret: true,
  variable: 'LIFEBOAT_ENCRYPTION_KEY',
} as const satisfies Input

const destination = {
  help: `Where the store is: ${destinationPatterns()}. What each service needs is in docs/stores.md.`,
  expected: destinationExpected(),
  example: 's3://backups/app?region=eu-central-1',
  schema: schema.destination,
  default: 'artifact',
  variable: 'LIFEBOAT_DESTINATION',
  secrets: destinationSecrets,
} as const satisfies Input

const token = {
  help: "For artifacts: the token that finds and reads them, of a job with `permissions: actions: read`.",
  expected: 'a token of GitHub',
  example: '${{ github.token }}',
  schema: schema.text,
  secret: true,
  variable: 'GITHUB_TOKEN',
  actionDefault: '${{ github.token }}',
} as const satisfies Input

/** What stores on other machines are reached with. */
const access = {
  'ssh-key': {
    help: 'The text of a private key for SSH servers. Without it, the agent of SSH_AUTH_SOCK is asked.',
    expected: 'the whole text of a private key file',
    example: '${{ secrets.SSH_KEY }}',
    schema: schema.text,
    secret: true,
    variable: 'LIFEBOAT_SSH_KEY',
  },
  'ssh-key-passphrase': {
    help: 'The passphrase that ssh-key is encrypted with, if it is.',
    expected: 'a passphrase',
    example: '${{ secrets.SSH_KEY_PASSPHRASE }}',
    schema: schema.text,
    secret: true,
    variable: 'LIFEBOAT_SSH_KEY_PASSPHRASE',
  },
  'ssh-password': {
    help: 'The password for SSH servers that take one. One in the URL comes before it.',
    expected: 'a password',
    example: '${{ secrets.SSH_PASSWORD }}',
    schema: schema.text,
    secret: true,
    variable: 'LIFEBOAT_SSH_PASSWORD',
  },
  'ssh-known-hosts': {
    help: 'The host keys of SSH servers, as in a known_hosts file; without it, ~/.ssh/known_hosts is read. A server whose key is in neither is refused.',
    expected: 'lines of a known_hosts file, as `ssh-keyscan HOST` prints them',
    example: 'nas.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJnLhDsu+YXmHZpGRGOJlbRi6KFJuv9onO3L6h3I8+ae',
    schema: schema.knownHosts,
    variable: 'LIFEBOAT_SSH_KNOWN_HOSTS',
  },
  'webdav-token': {
    help: 'A bearer token for WebDAV servers that take one in place of user and password.',
    expected: 'a token',
    example: '${{ secrets.WEBDAV_TOKEN }}',
    schema: schema.text,
    secret: true,
    variable: 'LIFEBOAT_WEBDAV_TOKEN',
  },
} as const satisfies Record<string, Input>

const sshTunnel = {
  help: 'An SSH server that reaches the databases where this machine does not: user@host or user@host:port. The databases are connected to from there.',
  expected: 'user@host or user@host:port',
  example: 'deploy@bastion.example.com',
  schema: schema.sshTarget,
  secrets: addressSecrets,
} as const satisfies Input

const timeout = {
  help: 'How long a request to the store may take, or an upload stand still, before the command fails.',
  expected: 'a number and a unit (s, m or h), from 1s to 24h',
  example: '5m',
  schema: schema.duration,
  default: '5m',
} as const satisfies Input

const clientInstall = {
  help: "auto: where no PostgreSQL client program of the server's major version is installed, one is fetched into a private folder. never: only those installed are used.",
  expected: 'auto or never',
  example: 'never',
  schema: schema.oneOf('auto', 'never'),
  default: 'auto',
} as const satisfies Input

const set = {
  help: 'The name under which successive backups of the same thing are grouped.',
  expected: 'up to 100 letters, digits, dots, dashes and underscores, starting with a letter or digit',
  example: 'production',
  schema: schema.set,
} as const satisfies Input

const whichSnapshot = {
  help: 'Which backup: latest, the id of a snapshot, or a time, which means the newest one not after it.',
  expected: 'latest, the id of a snapshot, or a time with its offset from UTC',
  example: '2026-11-20T02:00:00Z',
  schema: schema.snapshot,
} as const satisfies Input

const snapshot = { ...whichSnapshot, default: 'latest' } as const satisfies Input

const moment = { expected: 'a time with its offset from UTC, or a number and a unit (h, d, w or y)', example: '30d', schema: schema.moment } as const

const retention = {
  expected: 'rules last=, daily=, weekly=, monthly=, yearly= with a number, within= with an age (h, d, w, y), or none',
  example: 'last=3 daily=7 weekly=4 monthly=12 within=30d',
  schema: schema.retention,
} as const

const jobs = { expected: 'a whole number from 1 to 64', example: '4', schema: schema.wholeNumber(1, 64) } as const

const age = { expected: 'a number and a unit (h, d, w or y), from 1h to 10y', example: '26h', schema: schema.age } as const

const timezone = {
  help: 'The time zone in which times are shown to people. Results, ids and the store always use UTC.',
  expected: 'the name of a time zone',
  example: 'Europe/Berlin',
  schema: schema.timezone,
  default: 'UTC',
} as const satisfies Input

const dockerImage = {
  help: 'The image of the helper container through which Docker volumes are read and written. It has to have GNU tar and GNU find.',
  expected: 'the name of an image',
  example: 'registry.example.com/debian:bookworm-slim',
  schema: schema.image,
  default: HELPER_IMAGE,
} as const satisfies Input

const retentionTimezone = { ...timezone, help: 'The time zone in which times are shown to people, and in which retention counts days. Results, ids and the store always use UTC.' } as const satisfies Input

/** The guards of a prune, and what a backup needs to know of prunes elsewhere. */
const pruning = {
  'prune-min-size': {
    help: 'Nothing is pruned when the newest backup has less than this part of the size of the one before: it may have lost something.',
    expected: 'a percentage from 0% to 100%',
    example: '50%',
    schema: schema.percentage,
    default: '50%',
  },
  grace: {
    help: 'How long what no backup needs any more stays in the store: longer than any backup takes, and the same for every backup and prune of the store.',
    expected: 'a number and a unit (h or d), from 1h to 30d',
    example: '48h',
    schema: schema.grace,
    default: '24h',
  },
} as const

const flag = { expected: 'true or false', example: 'true', schema: schema.flag, default: 'false', flag: true } as const

const tags = {
  expected: 'tags of letters, digits and . _ : = @ + -, separated by commas or line ends',
  example: 'nightly, release=1.4',
  schema: schema.tags,
  default: '',
  list: true,
} as const

/** What the commands that deal with one snapshot take besides. */
const reading = {
  'encryption-key': { ...encryptionKey, help: 'The key the snapshot was made with, in any of its forms: a write key will do.', required: true },
  destination,
  set: { ...set, help: 'The set in which latest, or a time, is looked for.', default: 'default' },
  token,
  ...access,
  timeout,
  timezone,
} as const satisfies Record<string, Input>

const chosen = { ...whichSnapshot, required: true, positional: true } as const satisfies Input

const labelled = { snapshot: chosen, ...reading } as const satisfies Record<string, Input>

/** Where key files are, and how they are reached. */
const keyFiles = {
  destination: { ...destination, help: 'Where the store is, as for a backup. Passphrases of artifacts cannot be changed.', default: undefined, required: true },
  ...access,
  token,
  timeout,
  timezone,
} as const satisfies Record<string, Input>

export const inputs = {
  backup: {
    'database-url': {
      ...databaseUrl,
      help: 'The databases to back up: postgres:// URLs with any libpq parameter, one per line, each optionally preceded by name=.',
      expected: 'one URL postgres://user:password@host:port/database per line, optionally preceded by name=',
      schema: schema.databases,
      list: true,
    },
    'ssh-tunnel': sshTunnel,
    volumes: {
      help: 'Volumes to back up, one per line, as name=WHAT: a folder, docker:NAME, a Docker volume, ssh://USER@HOST/PATH, a folder of another machine, or s3://BUCKET/PREFIX, the objects of a bucket, with the parameters of a destination.',
      expected: 'one name=/path, name=./path, name=docker:VOLUME, name=ssh://USER@HOST/PATH or name=s3://BUCKET/PREFIX per line',
      example: 'uploads=/srv/app/uploads',
      schema: schema.volumes,
      secrets: volumeSecrets,
      default: '',
      list: true,
    },
    include: {
      help: 'Only these files of the volumes, one pattern of gitignore syntax per line; name=PATTERN is for one volume.',
      expected: 'patterns as in .gitignore, one per line, each optionally preceded by the name of a volume and =',
      example: '*.jpg',
      schema: schema.lines,
      default: '',
      list: true,
    },
    exclude: {
      help: 'All but these files of the volumes, one pattern of gitignore syntax per line; name=PATTERN is for one volume. A file .lifeboatignore at the top of a volume has more of them.',
      expected: 'patterns as in .gitignore, one per line, each optionally preceded by the name of a volume and =',
      example: 'uploads=cache/',
      schema: schema.lines,
      default: '',
      list: true,
    },
    'on-unreadable': {
      help: 'What to do about files of a volume that may not be read: fail, or warn and leave them out.',
      expected: 'fail or warn',
      example: 'warn',
      schema: schema.oneOf('fail', 'warn'),
      default: 'fail',
    },
    'stop-containers': {
      help: 'Docker containers that are stopped while the backup reads, and started again whatever happens: names, or label=NAME or label=NAME=VALUE, separated by commas or line ends.',
      expected: 'names of containers or label=NAME[=VALUE], separated by commas or line ends',
      example: 'app, label=backup=stop',
      schema: schema.containers,
      default: '',
      list: true,
    },
    'stop-mode': {
      help: 'How stop-containers are stopped: stop, which ends their programs, or pause, which freezes them where they are.',
      expected: 'stop or pause',
      example: 'pause',
      schema: schema.oneOf('stop', 'pause'),
      default: 'stop',
    },
    'pre-command': {
      help: 'A shell command that runs before anything is read; the backup fails when it does.',
      expected: 'a command for sh',
      example: 'app maintenance on',
      schema: schema.text,
      default: '',
    },
    'post-command': {
      help: 'A shell command that runs when everything has been read, and in every other case too: when the backup fails, is cancelled or killed.',
      expected: 'a command for sh',
      example: 'app maintenance off',
      schema: schema.text,
      default: '',
    },
    'docker-image': dockerImage,
    rescan: { ...flag, help: 'Read every file of the volumes, also those that look unchanged since the backup before.' },
    'encryption-key': { ...encryptionKey, required: true },
    destination: {
      ...destination,
      help: `${destination.help} Several, one per line: each gets the whole backup.`,
      expected: `${destination.expected}; one per line`,
      schema: schema.destinations,
      list: true,
    },
    'destinations-required': {
      help: 'With several destinations: all, the step fails when one of them could not be reached or written, though the others have the backup; one, it then only warns.',
      expected: 'all or one',
      example: 'one',
      schema: schema.oneOf('all', 'one'),
      default: 'all',
    },
    set: { ...set, default: 'default' },
    recipients: {
      help: 'More age recipients that every object is sealed to, so that a lost key is not a lost backup. Give them in every backup: one that is left out cannot open it, which is a warning.',
      expected: 'age recipients (age1…), separated by commas or line ends',
      example: 'age1…, as `lifeboat key new` prints it',
      schema: schema.recipients,
      default: '',
      list: true,
    },
    tags: {
      help: 'Words kept with the snapshot, separated by commas or line ends. They are stored unencrypted.',
      expected: 'tags of letters, digits and . _ : = @ + -, separated by commas or line ends',
      example: 'nightly, release=1.4',
      schema: schema.tags,
      default: '',
      list: true,
    },
    description: {
      help: 'A sentence kept with the snapshot, encrypted.',
      expected: 'at most 1000 characters',
      example: 'before the migration to 2.0',
      schema: schema.description,
      default: '',
    },
    verify: {
      help: 'How the new snapshot is checked by reading it back: list (everything there, the archive readable), read (every byte), or none.',
      expected: 'none, list or read',
      example: 'list',
      schema: schema.oneOf('none', ...VERIFIABLE),
      default: 'list',
    },
    'check-reused': {
      help: 'How much of what the newest backup stored, and this one can reuse, is read back beside it, chosen by chance: a part of its bytes, at least 8 chunks. Damage found is stored anew and reported. If not given, 2%, and at most 64 MiB. 0% reads nothing back, as does a write key, which cannot: then only presence and size are checked.',
      expected: 'a percentage from 0% to 100%',
      example: '10%',
      schema: schema.percentage,
    },
    'on-shrink': {
      help: 'What to do when a database, a table, a volume or a bucket has less than half of what it had in the newest snapshot of the set, or is gone: warn, or fail the step. In both cases the snapshot is kept, and this run prunes nothing. Compared is what had at least 1,000 rows (as the server estimates them), 10 files or 1 MB; partitions that are gone do not count. A write key compares only the size of the whole.',
      expected: 'warn or fail',
      example: 'fail',
      schema: schema.oneOf('warn', 'fail'),
      default: 'warn',
    },
    retention: {
      help: 'Which snapshots of the set to keep; the others are deleted after a backup that was verified, and with them what no snapshot needs any more. For artifacts it is also how long a backup stays whole: at most two thirds of the days that the repository keeps artifacts, one third if not given.',
      expected: 'rules last=, daily=, weekly=, monthly=, yearly= with a number, within= with an age (h, d, w, y), or none',
      example: 'last=3 daily=7 weekly=4 monthly=12 within=30d',
      schema: schema.retention,
      default: 'none',
    },
    ...pruning,
    'pg-dump-args': {
      help: 'More arguments for pg_dump. Those that would change the format or the place of its output are refused; those that leave something out mark the snapshot as partial.',
      expected: 'arguments as on a command line',
      example: '--exclude-table-data=public.sessions',
      schema: schema.text,
      default: '',
    },
    'lock-timeout': {
      help: 'How long pg_dump waits for a table that someone else has locked before the backup fails.',
      expected: 'a number and a unit (s, m or h), from 1s to 24h',
      example: '5m',
      schema: schema.duration,
      default: '5m',
    },
    'allow-pooler': {
      ...flag,
      help: 'Back up through a pooler in transaction mode. Only for one that resets its sessions after each transaction: the settings of pg_dump stay in other sessions, and break applications that use them.',
    },
    'compression-level': {
      help: 'The level of zstd, from 1 (fast) to 19 (small).',
      expected: 'a whole number from 1 to 19',
      example: '3',
      schema: schema.wholeNumber(1, 19),
      default: '3',
    },
    jobs: { ...jobs, help: 'How many threads compress and encrypt, beside the one that reads. One keeps up with it at level 3.', default: '1' },
    'client-install': clientInstall,
    token,
    ...access,
    timeout,
    timezone: retentionTimezone,
  },
  restore: {
    'database-url': { ...databaseUrl, help: 'The database to restore into, as a postgres:// URL with any libpq parameter. Not needed with verify-only.' },
    'ssh-tunnel': sshTunnel,
    'encryption-key': { ...encryptionKey, required: true },
    destination,
    set: { ...set, default: 'default' },
    snapshot,
    database: {
      help: 'Which database of the snapshot, by the name it was backed up under. Needed when there are several.',
      expected: 'the name of a database in the snapshot',
      example: 'app',
      schema: schema.text,
    },
    mode: {
      help: 'empty: only into a database without objects, or an empty folder. create: make the database. clean: replace what is there, a database in one transaction, a volume once the new content is extracted. overwrite: over the files of a volume, what else is there stays.',
      expected: 'empty, create, clean or overwrite',
      example: 'create',
      schema: schema.oneOf('empty', 'create', 'clean', 'overwrite'),
      default: 'empty',
    },
    volume: {
      help: 'Which volume of the snapshot to restore in place of a database, by the name it was backed up under. Needed when there are several.',
      expected: 'the name of a volume in the snapshot',
      example: 'uploads',
      schema: schema.text,
    },
    target: {
      help: 'Where to restore a volume: a folder, docker:NAME, a Docker volume, or ssh://USER@HOST/PATH, a folder of another machine, each made if it is not there; or, for what was one, s3://BUCKET/PREFIX, a bucket.',
      expected: 'a path that begins with / or ./, docker: and the name of a volume, ssh://USER@HOST/PATH or s3://BUCKET/PREFIX',
      example: '/srv/app/uploads',
      schema: schema.volumePlace,
      secrets: volumeSecrets,
    },
    paths: {
      help: 'Restore only these files or objects of the volume: patterns of gitignore syntax, one per line.',
      expected: 'patterns as in .gitignore, one per line',
      example: '/2026/*.jpg',
      schema: schema.lines,
      default: '',
      list: true,
    },
    'docker-image': dockerImage,
    rewrite: { ...flag, help: 'Put every object of a bucket back, also those that the target has with the same size and ETag.' },
    'delete-extra': { ...flag, help: 'Delete the objects of the target bucket that are not in the backup, of those that the volume and paths cover. With mode overwrite.' },
    owners: {
      help: 'Whom the restored files of a volume belong to: the users with the same number, those with the same name, or (none) whoever restores. The first two need root.',
      expected: 'number, name or none',
      example: 'none',
      schema: schema.oneOf('number', 'name', 'none'),
      default: 'number',
    },
    schemas: {
      help: 'Restore only these schemas with everything in them and what that depends on, separated by commas or line ends, or as a JSON array.',
      expected: 'names of schemas, separated by commas or line ends, or a JSON array of them',
      example: 'public, billing',
      schema: schema.names,
      default: '',
      list: true,
    },
    tables: {
      help: 'Restore only these tables with everything that belongs to them and what they depend on: names, with or without a schema, separated by commas or line ends, or as a JSON array. Foreign keys to other tables are left out and listed.',
      expected: 'names of tables, separated by commas or line ends, or a JSON array of names and of pairs of schema and name',
      example: 'users, billing.orders',
      schema: schema.tableNames,
      default: '',
      list: true,
    },
    only: {
      help: 'Restore only the definitions (schema) or only the rows (data).',
      expected: 'schema or data',
      example: 'schema',
      schema: schema.oneOf('schema', 'data'),
    },
    'no-owner': { ...flag, help: 'Leave out who owns what: everything belongs to the user who restores.' },
    'no-privileges': { ...flag, help: 'Leave out GRANT and REVOKE.' },
    'no-tablespaces': { ...flag, help: 'Put everything into the default tablespace.' },
    'disable-triggers': { ...flag, help: 'With only: data, load the rows without firing triggers and checking foreign keys; check constraints apply. Needs a superuser.' },
    'database-settings': {
      help: 'Whether the settings of the database itself (owner, privileges, comment, ALTER DATABASE … SET) are applied. Default: true with mode create if everything is restored, else false.',
      expected: 'true or false',
      example: 'true',
      schema: schema.flag,
      flag: true,
    },
    jobs: { ...jobs, help: 'How many connections pg_restore uses. More than 1 stages the archive in a temporary file.', default: '1' },
    'verify-only': { ...flag, help: 'Read and check what would be restored, and touch no database.' },
    'client-install': clientInstall,
    token,
    ...access,
    timeout,
    timezone,
  },
  verify: {
    'encryption-key': { ...encryptionKey, required: true },
    destination,
    set: { ...set, default: 'default' },
    snapshot: {
      help: 'Which backup: latest, the id of a snapshot, a time, which means the newest one not after it, or all, each of the set.',
      expected: 'latest, the id of a snapshot, a time with its offset from UTC, or all',
      example: 'all',
      schema: schema.anySnapshotOrAll,
      default: 'latest',
    },
    level: {
      help: levelsText(VERIFIABLE),
      expected: 'list or read',
      example: 'read',
      schema: schema.oneOf(...VERIFIABLE),
      default: 'list',
    },
    'client-install': clientInstall,
    token,
    ...access,
    timeout,
    timezone,
  },
  check: {
    'encryption-key': { ...encryptionKey, help: 'The key of the backups; a write key will do.', required: true },
    destination,
    set: { ...set, help: 'The set to look at; without it, every set there is.' },
    'max-age': { ...age, help: 'How old the newest verified snapshot of each set may be.', default: '26h' },
    'max-proof-age': { ...age, help: 'How long ago each set may last have been verified at proof-level, whichever snapshot it was. Not looked at unless given.', example: '8d' },
    'proof-level': {
      help: 'The level of verification that max-proof-age asks for, or a higher one: list or read.',
      expected: 'list or read',
      example: 'list',
      schema: schema.oneOf(...VERIFIABLE),
      default: 'read',
    },
    issue: { ...flag, help: 'Open an issue in the repository when something is too old, or cannot be looked at, and close it when all is fresh again; the job needs `permissions: issues: write`.' },
    token,
    ...access,
    timeout,
    timezone,
  },
  list: {
    destination,
    set: { ...set, help: 'List only this set.' },
    tag: { help: 'List only snapshots that have this tag.', expected: 'a tag', example: 'nightly', schema: schema.oneTag },
    source: { help: 'List only snapshots that have a source of this name. Needs a key that can decrypt.', expected: 'the name of a source', example: 'app', schema: schema.text },
    since: { ...moment, help: 'List only snapshots made at this time or later: a time, or an age like 30d.' },
    until: { ...moment, help: 'List only snapshots made at this time or earlier: a time, or an age like 7d.' },
    retention: { ...retention, help: 'Show what this policy would keep of the snapshots, and why. Nothing is deleted.' },
    format: {
      help: 'How the list is printed: text or markdown. The job summary is Markdown in any case.',
      expected: 'text or markdown',
      example: 'markdown',
      schema: schema.oneOf('text', 'markdown'),
      default: 'text',
    },
    'encryption-key': { ...encryptionKey, help: 'Optional: without a key the list shows what the store claims. With one the signatures are checked; with one that can decrypt, the sources, the description and the run of each snapshot are shown too.' },
    token,
    ...access,
    timeout,
    timezone: retentionTimezone,
  },
  doctor: {
    destination,
    'database-url': {
      ...databaseUrl,
      help: 'The databases to look at: postgres:// URLs, one per line, each optionally preceded by name=.',
      expected: 'one URL postgres://user:password@host:port/database per line, optionally preceded by name=',
      schema: schema.databases,
      list: true,
    },
    'ssh-tunnel': sshTunnel,
    'encryption-key': { ...encryptionKey, help: 'Optional: whether it opens the store is tried too.' },
    set: { ...set, default: 'default' },
    'client-install': clientInstall,
    token,
    ...access,
    timeout,
    timezone,
  },
  copy: {
    from: { ...destination, help: 'The store to copy from, written like a destination.', variable: undefined, default: undefined, required: true },
    destination: { ...destination, help: `The store to copy to; it is made where there is none. ${destination.help}` },
    'encryption-key': { ...encryptionKey, help: 'The key of the backups; a write key will do, for nothing is decrypted.', required: true },
    set: { ...set, help: 'Copy only this set; without it, every set there is.' },
    snapshot: {
      help: 'Which backups: all, latest (of each set that is copied), or the id of one.',
      expected: 'all, latest or the id of a snapshot',
      example: 'latest',
      schema: schema.snapshotOrAll,
      default: 'all',
    },
    grace: { ...pruning.grace, help: 'How long unreferenced data stays in the store that is copied to: the same for every backup, copy and prune of it.' },
    token,
    ...access,
    timeout,
    timezone,
  },
  show: {
    snapshot: { ...snapshot, positional: true },
    files: { ...flag, help: 'List the files of volumes too, with their sizes.' },
    ...reading,
    'encryption-key': { ...encryptionKey, help: 'Optional: without a key, only what the store claims is shown; what is in the snapshot needs one that can decrypt.' },
  },
  diff: {
    from: { ...chosen, help: 'The older snapshot: latest, an id, or a time, which means the newest one not after it.' },
    to: { ...chosen, help: 'The newer one, in the same way.' },
    ...reading,
    'encryption-key': { ...encryptionKey, required: true },
  },
  pin: labelled,
  unpin: labelled,
  tag: {
    snapshot: chosen,
    tags: { ...tags, help: 'The tags to add, after the snapshot.', positional: true },
    remove: { ...tags, help: 'Tags to take away, also those the snapshot was made with.' },
    ...reading,
  },
  forget: {
    snapshots: {
      help: 'The ids of the snapshots to delete.',
      expected: 'ids of snapshots, as `lifeboat list` shows them',
      example: '20261120T020000Z-5f3a9c1e',
      schema: schema.snapshotIds,
      required: true,
      positional: true,
      list: true,
    },
    force: { ...flag, help: 'Delete also the newest snapshot of a set, the only verified one, and pinned ones.' },
    'encryption-key': reading['encryption-key'],
    destination,
    token,
    ...access,
    timeout,
    timezone,
  },
  stats: {
    destination,
    set: { ...set, help: 'Only this set.' },
    'encryption-key': { ...encryptionKey, help: 'Optional: with a key, any of them, the signatures are checked, and only the snapshots made with it are counted.' },
    token,
    ...access,
    timeout,
    timezone,
  },
  prune: {
    destination,
    'encryption-key': { ...encryptionKey, help: `${encryptionKey.help} A write key will do: nothing is decrypted.`, required: true },
    set: { ...set, default: 'default' },
    retention: { ...retention, help: 'Which snapshots of the set to keep.', expected: 'rules last=, daily=, weekly=, monthly=, yearly= with a number, or within= with an age (h, d, w, y)', schema: schema.anyRetention, required: true },
    'dry-run': { ...flag, help: 'Show what would be kept and deleted, and why, and delete nothing.' },
    'max-delete': {
      help: 'Delete nothing when more snapshots of the set would go than so many, or so large a part of them.',
      expected: 'a number, or a percentage from 0% to 100%',
      example: '10',
      schema: schema.most,
      default: '50%',
    },
    ...pruning,
    force: { ...flag, help: 'Prune all the same where max-delete, prune-min-size or missing snapshots would not let it.' },
    token: { ...token, help: 'For artifacts: the token that finds, reads and deletes them, of a job with `permissions: actions: write`.' },
    ...access,
    timeout,
    timezone: retentionTimezone,
  },
  'key list': { ...keyFiles, 'encryption-key': { ...encryptionKey, help: 'Optional: with a passphrase, the list tells which of the files it opens.' } },
  'key add': {
    'new-passphrase': {
      help: 'The passphrase to add, of at least 16 characters.',
      expected: 'a passphrase of at least 16 characters',
      example: 'the output of `openssl rand -base64 24`',
      schema: schema.text,
      secret: true,
      variable: 'LIFEBOAT_NEW_PASSPHRASE',
      required: true,
    },
    'encryption-key': { ...encryptionKey, help: 'A key that opens the store now: the identity, or a passphrase.', required: true },
    ...keyFiles,
  },
  'key remove': {
    'old-passphrase': {
      help: 'The passphrase to take away: every key file that it opens.',
      expected: 'a passphrase of at least 16 characters',
      example: 'the passphrase that was used so far',
      schema: schema.text,
      secret: true,
      variable: 'LIFEBOAT_OLD_PASSPHRASE',
    },
    name: {
      help: 'In place of old-passphrase: the key file to take away.',
      expected: 'a name that `lifeboat key list` shows',
      example: '87d7b0a058d94072-5f3a9c1e.age',
      schema: schema.text,
      positional: true,
    },
    force: { ...flag, help: 'Remove them even if the key given does not open the store afterwards.' },
    'encryption-key': { ...encryptionKey, help: 'A key that stays, and opens the store afterwards: the identity, or another passphrase.' },
    ...keyFiles,
  },
} as const satisfies Record<Command, Record<string, Input>>

type Value<I extends Input> = I extends { required: true } | { default: string } ? z.output<I['schema']> : z.output<I['schema']> | undefined
type Values<T extends Record<string, Input>> = { -readonly [Name in keyof T]: Value<T[Name]> }

/** The checked inputs of each command, by their dashed names. Durations are milliseconds; what was not given and has no default is undefined. */
export type Inputs = { [C in Command]: Values<(typeof inputs)[C]> }

/** The inputs of a command with their names, in the order in which they are shown. */
export function inputsOf(command: Command): [name: string, input: Input][] {
  return Object.entries(inputs[command])
}

/**
 * Checks the raw inputs of a command. An empty string means not given, as GitHub passes it.
 * Throws a `LifeboatError` of status 2 that names the input; the value of a secret is never part of it.
 */
export function parseInputs<C extends Command>(
  command: C,
  raw: Readonly<Record<string, string | undefined>>,
  variables: Readonly<Record<string, string | undefined>>,
): Inputs[C] {
  const rows = inputsOf(command)
  for (const name of Object.keys(raw)) if (!rows.some(([known]) => known === name)) throw unknownInput(command, name, rows.map(([known]) => known))
  for (const [name, input] of rows) {
    if (!input.positional || !input.required || given(command, name, input, raw, variables) !== undefined) continue
    throw missingInput(`${command} ${rows.flatMap(([name, { positional }]) => (positional ? [name.toUpperCase()] : [])).join(' ')}: ${name}`, input)
  }
  const values = Object.fromEntries(rows.map(([name, input]) => [name, parseInput(name, input, given(command, name, input, raw, variables))]))
  if (command === 'restore' && values['target'] === undefined && (values['database-url'] === undefined || values['volume'] !== undefined) && values['verify-only'] !== true) {
    throw values['volume'] === undefined ? missingInput('database-url', databaseUrl) : missingInput('target', inputs.restore.target)
  }
  if (command === 'backup') requireSources(values)
  if (values['ssh-tunnel'] !== undefined) requireDatabase(values)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value is what its own row's schema returned
  const { destination = [], token } = values as { destination?: Destination | Destination[]; token: string | undefined }
  for (const one of [destination].flat()) requireAccess(one, { token }, variables)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  return values as Inputs[C]
}

/** Something to back up, each under a name of its own. */
function requireSources({ 'database-url': databases, volumes }: Record<string, unknown>): void {
  const named = [databases, volumes].flatMap((list: unknown) => (Array.isArray(list) ? list : [])).map(({ name }: { name: string }) => name)
  if (named.length === 0) throw missingInput('database-url', { ...inputs.backup['database-url'], expected: `${inputs.backup['database-url'].expected}; or volumes` })
  const twice = named.find((name, index) => named.indexOf(name) !== index)
  if (twice !== undefined) throw new LifeboatError(`a database and a volume are both named ${JSON.stringify(twice)}`, { hint: 'Put a different name= before one of them.', status: 2 })
}

/** A tunnel that leads to nothing would look as if it protected something. */
function requireDatabase({ 'database-url': database, 'verify-only': verifyOnly, volume, target }: Record<string, unknown>): void {
  if (database !== undefined && verifyOnly !== true && volume === undefined && target === undefined) return
  throw new LifeboatError('ssh-tunnel is given, but no database is connected to', { hint: 'Leave it out: volumes, verify-only and stores do without it. Or give the database-url it is for.', status: 2 })
}

/** Every secret among the given values of these inputs, checked or not: what to mask before anything is printed. */
export function secretsGiven(
  rows: readonly [name: string, input: Input][],
  raw: Readonly<Record<string, string | undefined>>,
  variables: Readonly<Record<string, string | undefined>>,
): string[] {
  return rows.flatMap(([name, input]) => {
    const texts = [raw[name], input.variable && variables[input.variable]].filter((text): text is string => Boolean(text))
    return texts.flatMap((text) => secretsOf(input, text))
  })
}

/** What is to be masked of the text of an input. */
export function secretsOf(input: Input, text: string): string[] {
  return input.secret ? secretsIn(text) : [...(input.secrets?.(text) ?? []), ...likelySecrets(text)]
}

/** The error for a name that is none of `names`. */
export function unknownInput(command: string, name: string, names: readonly string[]): LifeboatError {
  const near = nearest(name, names)
  // Anything else than a name may be a secret in the wrong place.
  const shown = /^[A-Za-z0-9-]{1,40}$/.test(name) ? JSON.stringify(name) : 'of the name given, which is not shown'
  return new LifeboatError(`${command} has no input ${shown}${near ? `; did you mean ${near}?` : ''}`, {
    hint: `The inputs of ${command} are ${names.join(', ')}.`,
    status: 2,
  })
}

function given(
  command: Command,
  name: string,
  input: Input,
  raw: Readonly<Record<string, string | undefined>>,
  variables: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return raw[name] || (input.variable && variables[input.variable]) || (name === 'database-url' && command !== 'restore' && libpqDefaults(variables)) || input.default
}

/** With libpq's own variables set, the URL that leaves everything to them. Not for restores: nobody may mean the database to write to. */
function libpqDefaults(variables: Readonly<Record<string, string | undefined>>): string | undefined {
  if (!['PGHOST', 'PGHOSTADDR', 'PGDATABASE', 'PGSERVICE'].some((name) => variables[name])) return undefined
  return `postgres:///${encodeURIComponent(variables['PGDATABASE'] ?? '')}`
}

/** Checks the text of one input; undefined is what nobody gave. */
export function parseInput(name: string, input: Input, text: string | undefined): unknown {
  if (text === undefined) {
    if (input.required) throw missingInput(name, input)
    return undefined
  }
  const expected = `Expected ${input.expected}; for example: ${input.example}.`
  if (!input.secret && keysIn(text).length > 0) {
    throw new LifeboatError(`${name}: the value has a secret key in it, and this input is not kept secret`, { hint: `${expected} Keys are given as encryption-key.`, status: 2 })
  }
  const parsed = input.schema.safeParse(text)
  if (parsed.success) return parsed.data
  const problem = parsed.error.issues[0]?.message ?? 'not understood'
  // The parsers of secrets quote nothing. Others may quote the beginning of a password.
  const quoted = input.secret ? '' : (/".*"/s.exec(problem)?.[0] ?? '')
  const leaks = likelySecrets(text).some((secret) => quoted.includes(secret.slice(0, 4)))
  throw new LifeboatError(`${name}: ${leaks ? 'the value is not valid, and not shown, because it has a password in it' : problem}`, { hint: expected, status: 2 })
}

/** The error for an input that has to be given. */
export function missingInput(name: string, input: Input): LifeboatError {
  return new LifeboatError(`${name} is not given${input.variable ? `, and ${input.variable} is not set` : ''}`, {
    hint: `Expected ${input.expected}; for example: ${input.example}.`,
    status: 2,
  })
}

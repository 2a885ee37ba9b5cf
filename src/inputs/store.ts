import type { Variables } from '../environment.ts'
import type { SshAccess } from '../net/ssh/connection.ts'
import type { StoreCredentials } from '../stores/access.ts'
import { type Destination, destinationExpected, destinationPatterns, destinationSecrets, requireAccess } from '../stores/destination.ts'
import { flagInput } from './display.ts'
import { type Group, group, one } from './group.ts'
import type { Input, Rows, Values } from './input.ts'
import * as schema from './schemas.ts'

export const destinationInput = {
  help: `Where the store is: ${destinationPatterns()}. docs/stores.md has the requirements of each service.`,
  expected: destinationExpected(),
  example: 's3://backups/app?region=eu-central-1',
  schema: schema.destination,
  default: 'artifact',
  variable: 'LIFEBOAT_DESTINATION',
  linesInVariable: true,
  short: 'd',
  secrets: destinationSecrets,
} as const satisfies Input

export const destination = one('destination', destinationInput)

/** Of a command that writes or looks at several stores. `each`: a sentence about several. */
export function destinations(each: string) {
  return one('destination', {
    ...destinationInput,
    help: `${destinationInput.help} ${each}`,
    expected: `${destinationInput.expected}; one per line`,
    schema: schema.destinations,
    list: true,
  })
}

export const create = one('create', {
  help:
    'Make a new store even if the folder that it would be in is missing, or its own folder, on this machine, has other files. Without it ' +
    'that is an error, so that a misspelled path does not become a new store.',
  ...flagInput,
})

/** How stores and SSH servers are reached, whichever they are. */
export interface AccessInputs extends StoreCredentials {
  ssh: SshAccess
  /** Milliseconds that one operation on the store may take with all its attempts. */
  timeout: number
}

const TOKEN_HELP = 'For artifacts: the token that finds and reads them, of a job with `permissions: actions: read`.'

export function access(tokenHelp: string = TOKEN_HELP): Group<AccessInputs> {
  return group({ token: { ...token, help: tokenHelp }, ...ssh, 'webdav-token': webdavToken, timeout }, (values) => ({
    token: values.token,
    ssh: sshOf(values),
    webdavToken: values['webdav-token'],
    timeout: values.timeout,
  }))
}

/** Of a command that reaches sources and no store. */
export function sourceAccess(): Group<Pick<AccessInputs, 'ssh' | 'timeout'>> {
  return group({ ...ssh, timeout }, (values) => ({ ssh: sshOf(values), timeout: values.timeout }))
}

function sshOf(values: Values<typeof ssh>): SshAccess {
  return {
    key: values['ssh-key'],
    passphrase: values['ssh-key-passphrase'],
    password: values['ssh-password'],
    knownHosts: values['ssh-known-hosts'],
  }
}

/** Throws (status 2) if a store needs something that is not given. */
export function requireStore({ destination, access }: { destination: Destination; access: AccessInputs }, variables: Variables): void {
  requireAccess(destination, access, variables)
}

/** The same of several. */
export function requireStores(
  { destinations, access }: { destinations: readonly Destination[]; access: AccessInputs }, variables: Variables,
): void {
  for (const destination of destinations) requireStore({ destination, access }, variables)
}

const token = {
  help: TOKEN_HELP,
  expected: 'a token of GitHub',
  example: '${{ github.token }}',
  schema: schema.text,
  secret: true,
  variable: 'GITHUB_TOKEN',
  actionDefault: '${{ github.token }}',
} as const satisfies Input

const timeout = {
  help: 'How long a request to the store may take, or an upload may make no progress, before the command fails.',
  expected: 'a number and a unit (s, m or h), from 1s to 24h',
  example: '5m',
  schema: schema.duration,
  default: '5m',
} as const satisfies Input

const ssh = {
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
    help: 'The password for SSH servers that take one. A password in the URL takes precedence.',
    expected: 'a password',
    example: '${{ secrets.SSH_PASSWORD }}',
    schema: schema.text,
    secret: true,
    variable: 'LIFEBOAT_SSH_PASSWORD',
  },
  'ssh-known-hosts': {
    help:
      'The host keys of SSH servers, as in a known_hosts file; without it, ~/.ssh/known_hosts is read. A server whose key is in ' +
      'neither is refused.',
    expected: 'lines of a known_hosts file, as `ssh-keyscan HOST` prints them',
    example: 'nas.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJnLhDsu+YXmHZpGRGOJlbRi6KFJuv9onO3L6h3I8+ae',
    schema: schema.knownHosts,
    variable: 'LIFEBOAT_SSH_KNOWN_HOSTS',
  },
} as const satisfies Rows

const webdavToken = {
  help: 'A bearer token for WebDAV servers that take one in place of user and password.',
  expected: 'a token',
  example: '${{ secrets.WEBDAV_TOKEN }}',
  schema: schema.text,
  secret: true,
  variable: 'LIFEBOAT_WEBDAV_TOKEN',
} as const satisfies Input

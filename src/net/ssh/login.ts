import { randomBytes } from 'node:crypto'
import { rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Variables } from '../../environment.ts'
import { authentication, knownHostsOf, type Method, type SshAccess, type SshTarget, usableKey } from './connection.ts'
import { knownHostsText } from './known-hosts.ts'

export interface SshContext {
  /** `PATH`, `HOME` and `SSH_AUTH_SOCK`. */
  variables: Variables
  /** The staging folder of the run. */
  temporary: string
  signal: AbortSignal
}

/** Files in the folder of a connection. */
const KNOWN_HOSTS = 'known_hosts'
const ASKPASS = 'askpass'
/** Seconds for connecting and signing in. */
export const CONNECT_SECONDS = 30

// The server can word the questions it asks, but it does not know the name of the key file.
const ASKPASS_SCRIPT = String.raw`#!/bin/sh
case $1 in
  "Enter passphrase for key '$LIFEBOAT_KEY'"*) printf '%s\n' "$LIFEBOAT_PASSPHRASE" ;;
  *) printf '%s\n' "$LIFEBOAT_PASSWORD" ;;
esac
`

/** The target of a connection and the means to sign in. */
export interface Login {
  target: SshTarget
  access: SshAccess
  methods: readonly Method[]
  /** The lines of a known_hosts file. */
  knownHosts: string
  /** The private key; empty if there is none. */
  key: Buffer
  /** Its name in the folder of the connection. */
  keyFile: string
  /** Whether ssh may ask for a password or a passphrase. */
  mayAsk: boolean
}

/** Throws if there is nothing to sign in with, or a key that cannot be used. */
export async function loginFor(target: SshTarget, access: SshAccess, { variables }: SshContext): Promise<Login> {
  const methods = authentication(access, variables)
  const { known } = await knownHostsOf(access, variables)
  const key = Buffer.from((await usableKey(access)) ?? '')
  const mayAsk = access.passphrase !== undefined || methods.includes('password')
  return {
    target,
    access,
    methods,
    knownHosts: knownHostsText(known, target),
    key,
    keyFile: `key-${randomBytes(8).toString('hex')}`,
    mayAsk,
  }
}

/** Writes the files that ssh reads into the folder of the connection. */
export async function writeFiles(folder: string, { knownHosts, key, keyFile, mayAsk }: Login): Promise<void> {
  await writeFile(path.join(folder, KNOWN_HOSTS), knownHosts, { mode: 0o600 })
  if (mayAsk) await writeFile(path.join(folder, ASKPASS), ASKPASS_SCRIPT, { mode: 0o700 })
  if (key.length === 0) return
  // On other systems, a second reader of /dev/stdin goes on where the first has stopped.
  if (process.platform === 'linux') await symlink('/dev/stdin', path.join(folder, keyFile))
  else await writeFile(path.join(folder, keyFile), key, { mode: 0o600 })
}

/** Removes them again, once ssh has read them. */
export async function removeFiles(folder: string, { keyFile }: Login): Promise<void> {
  await Promise.all([keyFile, KNOWN_HOSTS, ASKPASS].map((name) => rm(path.join(folder, name), { force: true })))
}

/** The environment from which ssh and its askpass answer a server. */
export function answersOf({ methods, access, keyFile, mayAsk }: Login, variables: SshContext['variables']): Record<string, string> {
  return {
    ...(methods.includes('agent') && { SSH_AUTH_SOCK: variables['SSH_AUTH_SOCK']! }),
    ...(mayAsk && {
      SSH_ASKPASS: `./${ASKPASS}`,
      SSH_ASKPASS_REQUIRE: 'force',
      LIFEBOAT_KEY: keyFile,
      LIFEBOAT_PASSPHRASE: access.passphrase ?? '',
      LIFEBOAT_PASSWORD: access.password ?? '',
    }),
  }
}

export function optionsFor({ target, methods, keyFile, mayAsk }: Login): string[] {
  const authentications = new Set(methods.map((method) => (method === 'agent' ? 'publickey' : method)))
  const options = {
    BatchMode: mayAsk ? 'no' : 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: KNOWN_HOSTS,
    GlobalKnownHostsFile: 'none',
    UpdateHostKeys: 'no',
    PreferredAuthentications: [...authentications].join(','),
    IdentityFile: methods.includes('publickey') ? keyFile : 'none',
    IdentityAgent: methods.includes('agent') ? 'SSH_AUTH_SOCK' : 'none',
    IdentitiesOnly: methods.includes('publickey') ? 'yes' : 'no',
    NumberOfPasswordPrompts: '1',
    ConnectTimeout: String(CONNECT_SECONDS),
    // A server that is gone is noticed after a minute.
    ServerAliveInterval: '15',
    ServerAliveCountMax: '4',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    ExitOnForwardFailure: 'yes',
    // It runs when the connection and its forwards are set up.
    PermitLocalCommand: 'yes',
    LocalCommand: 'echo connected',
  }
  const listed = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  return ['-F', 'none', ...listed, '-N', '-T', '-p', String(target.port), '-l', target.user]
}

import type { RetentionPolicy } from '../inputs/retention.ts'
import type { SshAccess } from '../net/ssh/connection.ts'
import type { KnownHost } from '../net/ssh/known-hosts.ts'
import type { StoreAccess } from '../stores/access.ts'
import { daysWanted } from '../stores/artifact/retention.ts'

/** The inputs that say how to reach SSH servers. */
export interface SshInputs {
  'ssh-key'?: string | undefined
  'ssh-key-passphrase'?: string | undefined
  'ssh-password'?: string | undefined
  'ssh-known-hosts'?: KnownHost[] | undefined
}

/** The inputs that say how to reach and use a store. */
export interface StoreInputs extends SshInputs {
  /** Undefined reads every set; a backup has one. */
  set: string | undefined
  token: string | undefined
  'webdav-token'?: string | undefined
  /** Milliseconds. */
  timeout: number
  /** How long snapshots are to be kept; only a backup says. */
  retention?: RetentionPolicy
}

export function sshAccess(inputs: SshInputs): SshAccess {
  return { key: inputs['ssh-key'], passphrase: inputs['ssh-key-passphrase'], password: inputs['ssh-password'], knownHosts: inputs['ssh-known-hosts'] }
}

export function storeAccess(inputs: StoreInputs): StoreAccess {
  const { set, token, timeout, retention = {} } = inputs
  return { set, token, timeout, ssh: sshAccess(inputs), webdavToken: inputs['webdav-token'], keptDays: daysWanted(retention) }
}

import type { SshAccess } from './connection.ts'
import type { KnownHost } from './known-hosts.ts'

/** What the inputs of a command say of how to reach SSH servers. */
export interface SshInputs {
  'ssh-key'?: string | undefined
  'ssh-key-passphrase'?: string | undefined
  'ssh-password'?: string | undefined
  'ssh-known-hosts'?: KnownHost[] | undefined
}

/** A password in a URL is meant for its host, and comes before the input. */
export function sshAccess(inputs: SshInputs, password?: string): SshAccess {
  return {
    key: inputs['ssh-key'],
    passphrase: inputs['ssh-key-passphrase'],
    password: password ?? inputs['ssh-password'],
    knownHosts: inputs['ssh-known-hosts'],
  }
}

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Client, ConnectConfig } from 'ssh2'
import type { Variables } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { Transient } from '../retry.ts'
import { checkHostKey, linesAbout, readKnownHosts, type HostAddress, type KnownHost } from './known-hosts.ts'

export interface SshTarget extends HostAddress {
  user: string
}

/** The credentials for a server, and the keys that it is checked by. Each may be missing. */
export interface SshAccess {
  /** The text of a private key, in any format of OpenSSH or PEM. */
  key?: string | undefined
  passphrase?: string | undefined
  password?: string | undefined
  /** Without them, `~/.ssh/known_hosts` is read. */
  knownHosts?: readonly KnownHost[] | undefined
}

export interface SshOptions {
  /** `HOME` and `SSH_AUTH_SOCK`. */
  variables: Variables
  signal: AbortSignal
  /** Milliseconds that connecting and signing in may take. */
  limit: number
}

/**
 * Connects and signs in, with the key, the agent or the password, in this order. The caller ends the client, and learns from its `error`
 * and `close` what became of it. Throws a `Transient` for what may go well the next time.
 */
export async function connectSsh(target: SshTarget, access: SshAccess, { variables, signal, limit }: SshOptions): Promise<Client> {
  const hosts = await knownHostsOf(access, variables)
  const methods = authentication(access, variables)
  const privateKey = await usableKey(access)
  // Loaded when it is needed: most destinations do without.
  const { default: ssh2 } = await import('ssh2')
  signal.throwIfAborted()
  const client = new ssh2.Client()
  const verifier = new HostVerifier(hosts, target)
  // How most servers of today ask for a password.
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, answer) =>
    answer(prompts.map(() => access.password ?? '')),
  )
  const config: ConnectConfig = {
    host: target.host,
    port: target.port,
    username: target.user,
    readyTimeout: limit,
    authHandler: methods,
    tryKeyboard: methods.includes('keyboard-interactive'),
    hostVerifier: (key: Buffer) => verifier.accepts(key),
    algorithms: { serverHostKey: hostKeyAlgorithms(linesAbout(hosts.known, target)), compress: ['none'] },
    ...(privateKey !== undefined && { privateKey, passphrase: access.passphrase }),
    ...(access.password !== undefined && { password: access.password }),
    ...(methods.includes('agent') && { agent: variables['SSH_AUTH_SOCK'] }),
  }
  await signIn(client, config, signal, (error) => verifier.refusal ?? connectionError(target, error, methods))
  client.setNoDelay(true)
  return client
}

/** Compares the key that a server shows with those that are known, and keeps the reason why it is refused. */
class HostVerifier {
  readonly #hosts: KnownHosts
  readonly #target: SshTarget
  refusal: unknown

  constructor(hosts: KnownHosts, target: SshTarget) {
    this.#hosts = hosts
    this.#target = target
  }

  accepts(key: Buffer): boolean {
    try {
      checkHostKey(this.#hosts.known, this.#target, key, this.#hosts.where)
      return true
    } catch (error) {
      this.refusal = error
      return false
    }
  }
}

/** Connects, and resolves when the sign-in is done. Otherwise destroys the client, and rejects with the reason. */
function signIn(client: Client, config: ConnectConfig, signal: AbortSignal, reasonOf: (error: Error) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    let settled = false
    const settle = (): boolean => {
      const first = !settled
      settled = true
      signal.removeEventListener('abort', abort)
      return first
    }
    const fail = (error: unknown): void => {
      if (!settle()) return
      client.destroy()
      reject(error)
    }
    const abort = (): void => fail(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    client.on('error', (error) => fail(reasonOf(error)))
    client.on('close', () => fail(new Transient(`${config.host}:${config.port} closed the connection before the sign-in was done`)))
    client.on('ready', () => {
      if (settle()) resolve()
    })
    client.connect(config)
  })
}

interface KnownHosts {
  known: readonly KnownHost[]
  /** How messages name the place they come from. */
  where: string
}

/** The host keys that are given, or those of `~/.ssh/known_hosts`. */
export async function knownHostsOf({ knownHosts }: SshAccess, variables: SshOptions['variables']): Promise<KnownHosts> {
  if (knownHosts !== undefined) return { known: knownHosts, where: 'ssh-known-hosts' }
  const where = marked`~/.ssh/known_hosts (or ‹ssh-known-hosts›)`
  if (!variables['HOME']) return { known: [], where }
  try {
    return { known: readKnownHosts(await readFile(path.join(variables['HOME'], '.ssh/known_hosts'), 'utf8')), where }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { known: [], where }
    throw new LifeboatError(`cannot read ~/.ssh/known_hosts: ${messageOf(cause)}`, {
      cause,
      hint: marked`Make it readable, or give the lines as ‹ssh-known-hosts›.`,
    })
  }
}

export type Method = 'publickey' | 'agent' | 'password' | 'keyboard-interactive'

/** The ways to sign in that there is something for, best first. Throws when there is none. */
export function authentication({ key, password }: SshAccess, variables: SshOptions['variables']): Method[] {
  const methods: Method[] = []
  if (key !== undefined) methods.push('publickey')
  else if (variables['SSH_AUTH_SOCK']) methods.push('agent')
  if (password !== undefined) methods.push('password', 'keyboard-interactive')
  if (methods.length > 0) return methods
  throw new LifeboatError('no SSH key, password or agent is given', {
    hint:
      marked`Give the text of a private key as ‹ssh-key› (at a terminal, for instance: LIFEBOAT_SSH_KEY="$(cat ~/.ssh/id_ed25519)"), ` +
      'or start ssh-agent.',
    status: 2,
  })
}

/** The private key, where there is one, as a file has it. Throws for a text that is none, or that its passphrase does not open. */
export async function usableKey({ key, passphrase }: SshAccess): Promise<string | undefined> {
  if (key === undefined) return undefined
  const text = keyText(key)
  const { default: ssh2 } = await import('ssh2')
  checkKey(ssh2.utils.parseKey(text, passphrase))
  return text
}

/** Secrets lose their last line end on the way, or gain carriage returns. */
function keyText(text: string): string {
  return `${text.replaceAll('\r', '').trim()}\n`
}

function checkKey(parsed: unknown): void {
  // The result is a list for some formats; such a text has one key.
  const key: unknown = Array.isArray(parsed) ? parsed[0] : parsed
  if (key instanceof Error) {
    const encrypted = /passphrase|encrypted|decrypt|integrity/i.test(key.message)
    throw new LifeboatError(`ssh-key cannot be used: ${key.message}`, {
      hint: encrypted
        ? marked`Give its passphrase as ‹ssh-key-passphrase›.`
        : 'It has to be the whole text of a private key file, from -----BEGIN to -----END …-----.',
      status: 2,
    })
  }
  if (
    typeof key === 'object' &&
    key !== null &&
    'isPrivateKey' in key &&
    typeof key.isPrivateKey === 'function' &&
    key.isPrivateKey() === true
  )
    return
  throw new LifeboatError('ssh-key is a public key', { hint: 'Give the private one, the file without .pub.', status: 2 })
}

/** Servers show one key of several: it has to be of a kind that is known here. RSA signs with SHA-2 only (RFC 8332). */
function hostKeyAlgorithms(lines: readonly KnownHost[]): NonNullable<NonNullable<ConnectConfig['algorithms']>['serverHostKey']> {
  const all = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512', 'rsa-sha2-256'] as const
  const types = lines.filter(({ marker }) => marker !== 'cert-authority').map(({ type }) => type)
  const wanted = all.filter((algorithm) => types.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm))
  return wanted.length > 0 ? wanted : [...all]
}

/** The hint for a refused connection. */
export const NOT_LISTENING = 'Check that the SSH server is running there, and that the port is right.'

function connectionError(
  { user, host, port }: SshTarget,
  error: Error & { level?: string; code?: unknown },
  methods: readonly Method[],
): Error {
  const where = `${host}:${port}`
  if (error.level === 'client-authentication') return signInRefused({ user, host, port }, methods, error)
  if (error.level === 'agent') {
    return new LifeboatError(`the SSH agent cannot be used: ${error.message}`, {
      cause: error,
      hint: marked`Is it running, and SSH_AUTH_SOCK its socket? Or give the key as ‹ssh-key›.`,
    })
  }
  if (error.code === 'ENOTFOUND') {
    const hint = 'Check its spelling; a name of a private network is not known to hosted runners.'
    return new LifeboatError(`there is no host ${host}`, { cause: error, hint })
  }
  const hint = error.code === 'ECONNREFUSED' ? NOT_LISTENING : undefined
  if (error.level === 'client-timeout') {
    return new Transient(`${where} has not answered in time`, {
      cause: error,
      hint: 'Check host and port, and that no firewall drops the connection.',
    })
  }
  if (/no matching/.test(error.message)) {
    return new LifeboatError(`${where} and this program have no way of encryption in common: ${error.message}`, {
      cause: error,
      hint: 'The server is too old, or allows too little; compare what it offers: ssh -v.',
    })
  }
  return new Transient(`the connection to ${where} failed: ${error.message}`, { cause: error, ...(hint && { hint }) })
}

export function signInRefused({ user, host, port }: SshTarget, methods: readonly Method[], cause: unknown): LifeboatError {
  const ways = methods.flatMap(
    (method) =>
      ({ publickey: ['the key'], agent: ['the keys of the agent'], password: ['the password'], 'keyboard-interactive': [] })[method],
  )
  return new LifeboatError(`${host}:${port} does not let ${user} sign in with ${ways.join(' or ')}`, {
    cause,
    hint: 'Check the user; for a key, that its public part is in ~/.ssh/authorized_keys there.',
  })
}

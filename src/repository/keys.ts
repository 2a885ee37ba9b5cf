import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { Encrypter, generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'

/** Kinds of signed objects. The MAC key of each is its own, so that no object can be taken for one of another kind. */
export type MacKind = 'snapshot' | 'labels' | 'proof' | 'trash' | 'parts' | 'runs' | 'verdict' | 'state' | 'restore'

/** Keys of a run: it can always write and deduplicate, and it can read if they hold an identity. */
export interface Keys {
  /** First 16 hex digits of SHA-256(own recipient). */
  readonly fingerprint: string
  /** Every `age1…` key objects are sealed to: the own one first. */
  readonly recipients: readonly string[]
  /** Absent with a write key, which decrypts nothing. */
  readonly identity?: string
  /** HMAC-SHA-256 keys: of chunk ids, and of each kind of signed object. */
  readonly idKey: Buffer
  readonly macKeys: Readonly<Record<MacKind, Buffer>>
  /** Tags of the extra recipients in snapshots (docs/format.md), in ascending order; keyed, so that they tell an observer nothing. */
  readonly recipientTags: readonly string[]
  /** 256 words of the rolling hash; secret, so that cut points tell an observer nothing. */
  readonly gear: Int32Array
  /** The keys in the store's other key files that the passphrase opens: two first backups that ran at the same time each made one. */
  readonly others: readonly Keys[]
}

export type EncryptionKey =
  | { kind: 'identity'; identity: string }
  | { kind: 'passphrase'; passphrase: string }
  | { kind: 'write'; recipient: string; writeSecret: Buffer }

const MINIMUM_PASSPHRASE = 16
const KEY_FORMS = 'an age identity (AGE-SECRET-KEY-1…), a passphrase of at least 16 characters, or a write key (lifeboat-write:…)'

/** Tells the three forms of `encryption-key` apart. Comment lines, as age-keygen writes them, are ignored. */
export function parseEncryptionKey(text: string): EncryptionKey {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  const only = lines.length === 1 ? lines[0]! : ''
  if (lines.length === 0) throw wrongKey('the encryption key is empty', `Give ${KEY_FORMS}.`)
  if (lines.some((line) => /^AGE-SECRET-KEY-/i.test(line))) {
    if (!only) throw wrongKey('the encryption key holds several lines', 'Give exactly one age identity, on one line.')
    return { kind: 'identity', identity: only.toUpperCase() }
  }
  if (lines.some((line) => /^AGE-PLUGIN-/i.test(line))) {
    throw wrongKey('the encryption key is of an age plugin, which Lifeboat cannot run', `Give ${KEY_FORMS}.`)
  }
  if (lines.some((line) => line.startsWith('lifeboat-write:'))) return parseWriteKey(only)
  if (/^age1[a-z0-9]{20,}$/.test(only)) {
    throw wrongKey('the encryption key is a recipient, the public half of a key', `Give the secret half: ${KEY_FORMS}.`)
  }
  if (/^[~./\w-]+\.(txt|key|age|pem)$/i.test(only)) {
    throw wrongKey(
      'the encryption key looks like the name of a file; the content of the file is needed',
      marked`Give the content of the file as ‹encryption-key›; at a terminal: LIFEBOAT_ENCRYPTION_KEY="$(cat FILE)".`,
    )
  }
  const passphrase = text.replace(/[\r\n]+$/, '')
  refuseMistyped(passphrase)
  const { length } = Array.from(passphrase)
  if (length < MINIMUM_PASSPHRASE) {
    throw wrongKey(
      `the passphrase has ${length} characters; at least ${MINIMUM_PASSPHRASE} are needed`,
      marked`Use a longer passphrase, or make a key with ‹lifeboat key new›.`,
    )
  }
  return { kind: 'passphrase', passphrase }
}

/** A key with a mistake in it would be taken for a passphrase: the backup would succeed, and the key would open nothing. */
function refuseMistyped(text: string): void {
  const [form] = [
    [/SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20}|AGE-(?:SECRET-KEY|PLUGIN)-/i, 'an age identity', 'AGE-SECRET-KEY-1…'] as const,
    [/lifeboat-write:/i, 'a write key', 'lifeboat-write:…'] as const,
  ].filter(([pattern]) => pattern.test(text))
  if (form) {
    throw wrongKey(
      `the encryption key contains ${form[1]}, but other text is around it, or its beginning is missing`,
      `Give only the key, ${form[2]}, without quotation marks and without a name before it.`,
    )
  }
  if (/^\s*(?:(["'`]).*\1|“.*”)\s*$/s.test(text)) {
    throw wrongKey('the encryption key is in quotation marks', 'Remove the quotation marks: they would be a part of the passphrase.')
  }
  if (/^\s*\$\{\{/.test(text)) {
    throw wrongKey('the encryption key is an expression of a workflow, which nothing has evaluated', 'Give the value of the secret.')
  }
  if (/^\s*(?:export\s+)?[A-Z][A-Z0-9]*_[A-Z0-9_]*=/.test(text)) {
    throw wrongKey('the encryption key begins with the name of a variable', 'Give only the value after the =.')
  }
  if (/^(.)\1{15,}$/su.test(text)) {
    throw wrongKey('the passphrase is one character, repeated', marked`Use another passphrase, or make a key with ‹lifeboat key new›.`)
  }
}

function parseWriteKey(text: string): EncryptionKey {
  const match = /^lifeboat-write:(age1[a-z0-9]+):([A-Za-z0-9_-]{43})$/.exec(text)
  if (!match) throw wrongKey('the write key is malformed', marked`Copy the whole line that ‹lifeboat key write› printed.`)
  return { kind: 'write', recipient: checkRecipient(match[1]!), writeSecret: Buffer.from(match[2]!, 'base64url') }
}

export function wrongKey(message: string, hint: string): LifeboatError {
  return new LifeboatError(message, { hint, status: 2 })
}

/** The recipient itself, if age can seal to it; throws otherwise. */
export function checkRecipient(recipient: string): string {
  try {
    new Encrypter().addRecipient(recipient)
    return recipient
  } catch {
    // Without the cause, which quotes the value: a value that does not begin like a recipient may be a secret in the wrong place.
    throw wrongKey(
      `${recipient.startsWith('age1') ? recipient : 'the value'} is not an age recipient`,
      marked`A recipient is the line starting with age1 that age-keygen or ‹lifeboat key new› prints.`,
    )
  }
}

/** A new identity and its recipient; post-quantum ones need age 1.3 or newer for recovery. */
export async function newIdentity(options: { postQuantum?: boolean } = {}): Promise<{ identity: string; recipient: string }> {
  const identity = await (options.postQuantum ? generateHybridIdentity() : generateX25519Identity())
  return { identity, recipient: await identityToRecipient(identity) }
}

/** Throws if the identity is malformed. */
export async function recipientOf(identity: string): Promise<string> {
  try {
    return await identityToRecipient(identity)
  } catch {
    // Without the cause: it quotes the identity.
    throw wrongKey(
      'the encryption key looks like an age identity but is damaged',
      'Copy the whole AGE-SECRET-KEY-… line; its checksum does not match.',
    )
  }
}

const derive = (secret: Uint8Array, info: string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, new Uint8Array(0), `lifeboat/1 ${info}`, length))

export function writeSecretOf(identity: string): Buffer {
  return derive(Buffer.from(identity, 'utf8'), 'write secret', 32)
}

const postQuantum = (recipient: string): boolean => recipient.startsWith('age1pq1')

/** `extra`: more recipients. Throws if they cannot be sealed to together. */
export function deriveKeys(recipient: string, writeSecret: Buffer, extra: string[]): Keys {
  const mixed = extra.find((other) => postQuantum(other) !== postQuantum(recipient))
  if (mixed !== undefined) {
    const differs = postQuantum(mixed) ? 'is post-quantum and the encryption key is not' : 'is not post-quantum, as the encryption key is'
    throw wrongKey(
      `the recipient ${mixed.slice(0, 24)}… ${differs}`,
      'Data sealed to both is no safer than the weaker one, so age does not mix them: use keys of one kind.',
    )
  }
  const table = derive(writeSecret, 'gear table', 1024)
  const tagKey = derive(writeSecret, 'recipient tag', 32)
  const recipients = [...new Set([recipient, ...extra])]
  const macKey = (kind: MacKind): Buffer => derive(writeSecret, `${kind} mac`, 32)
  return {
    fingerprint: fingerprintOf(recipient),
    recipients,
    recipientTags: recipients.slice(1).map((one) => createHmac('sha256', tagKey).update(one).digest('hex').slice(0, 16)).toSorted(),
    idKey: derive(writeSecret, 'chunk id', 32),
    macKeys: {
      snapshot: macKey('snapshot'),
      labels: macKey('labels'),
      proof: macKey('proof'),
      trash: macKey('trash'),
      parts: macKey('parts'),
      runs: macKey('runs'),
      verdict: macKey('verdict'),
      state: macKey('state'),
      restore: macKey('restore'),
    },
    gear: Int32Array.from({ length: 256 }, (_, index) => table.readInt32LE(index * 4)),
    others: [],
  }
}

export function fingerprintOf(recipient: string): string {
  return createHash('sha256').update(recipient).digest('hex').slice(0, 16)
}

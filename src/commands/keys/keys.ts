import type { Environment } from '../../environment.ts'
import { newIdentity } from '../../repository/keys.ts'
import { writeKeyOf } from '../../repository/open-keys.ts'
import { openStore } from '../../stores/destination.ts'
import type { KeyNewInputs, KeyWriteInputs } from './inputs.ts'

export interface KeyNewResult {
  /** ISO 8601. */
  created: string
  recipient: string
  /** A secret. */
  identity: string
}

export interface KeyWriteResult {
  /** A secret. */
  writeKey: string
}

export async function keyNew({ postQuantum }: KeyNewInputs, environment: Environment): Promise<KeyNewResult> {
  const { identity, recipient } = await newIdentity({ postQuantum })
  environment.report.info('Keep a copy of this key away from the machines that are backed up: without it no backup can be read.')
  return { created: environment.now().toISOString(), recipient, identity }
}

/** In the form that age-keygen prints. */
export function keyNewText({ created, recipient, identity }: KeyNewResult): string {
  return `# created: ${created.slice(0, 19)}Z\n# public key: ${recipient}\n${identity}`
}

/** The write key of a key. That of a passphrase depends on the store. */
export async function keyWrite({ key, destination, access }: KeyWriteInputs, environment: Environment): Promise<KeyWriteResult> {
  if (destination === undefined) return { writeKey: await writeKeyOf(key, undefined) }
  const store = await openStore(destination, { ...access, set: undefined }, environment)
  try {
    return { writeKey: await writeKeyOf(key, store) }
  } finally {
    await store.close()
  }
}

import { fstatSync } from 'node:fs'
import { parseInputs } from '../commands/all.ts'
import type { Environment, Report } from '../environment.ts'
import { flag } from '../inputs/display.ts'
import { commandInputs, one } from '../inputs/group.ts'
import { requiredKey } from '../inputs/key.ts'
import { parse } from '../inputs/parse.ts'
import { destination } from '../inputs/store.ts'
import { newIdentity } from '../repository/keys.ts'
import { writeKeyOf } from '../repository/open-keys.ts'
import { openStore } from '../stores/destination.ts'

export const keyHelp = [
  'lifeboat key new [--post-quantum true]',
  '      Print a new key: an age identity, and in a comment its recipient. Anyone who has the identity can read every',
  '      backup made with it; without it nobody can. --post-quantum needs age 1.3 or newer for recovery without Lifeboat.',
  '',
  'lifeboat key write [--encryption-key -] [--destination file:PATH]',
  '      Print the write key of the key in LIFEBOAT_ENCRYPTION_KEY. A machine that holds only the write key can back up',
  '      and deduplicate, and can read no backup. For a passphrase the store is needed: give its destination.',
  '',
  'lifeboat key list, key add, key remove',
  '      The passphrases that open a store; each has a --help of its own.',
].join('\n')

export const newInputs = commandInputs({ postQuantum: one(
  'post-quantum',
  { ...flag, help: 'Make an identity that a quantum computer cannot break.' },
) })

export const writeInputs = commandInputs({ key: requiredKey(), destination })

/** A new identity in the form that age-keygen prints. */
export async function newKey(raw: Record<string, string>, report: Report): Promise<string> {
  const { postQuantum } = parse('key new', newInputs, raw, {})
  const { identity, recipient } = await newIdentity({ postQuantum })
  const output = fstatSync(1)
  if (output.isFile() && (output.mode & 0o077) !== 0) {
    report.warning('others can read the file that the key is written to', 'Run chmod 600 on the file.')
  }
  report.info('Keep a copy of this key away from the machines that are backed up: without it no backup can be read.')
  return `# created: ${new Date().toISOString().slice(0, 19)}Z\n# public key: ${recipient}\n${identity}`
}

/** The write key of the key that is given. */
export async function writeKey(raw: Record<string, string>, environment: Environment): Promise<string> {
  const { variables } = environment
  const { key } = parse('key write', writeInputs, raw, variables)
  const where = raw['destination'] || variables['LIFEBOAT_DESTINATION']
  if (where === undefined) return writeKeyOf(key, undefined)
  const { destination, access } = parseInputs('list', { destination: where }, variables)
  const store = await openStore(destination, { ...access, set: undefined }, environment)
  try {
    return await writeKeyOf(key, store)
  } finally {
    await store.close()
  }
}

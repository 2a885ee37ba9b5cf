import type { CommandDefinition } from '../command.ts'
import { type KeyNewInputs, type KeyWriteInputs, newInputs, writeInputs } from './inputs.ts'
import { keyNew as makeKey, type KeyNewResult, keyNewText, keyWrite as makeWriteKey, type KeyWriteResult } from './keys.ts'

export const keyNew = {
  name: 'key new',
  purpose: 'Make a new key: an age identity, and in a comment its recipient.',
  inputs: newInputs,
  run: makeKey,
  givesSecret: true,
  headline: ({ recipient }) => `A new key, of recipient ${recipient}`,
  text: keyNewText,
} as const satisfies CommandDefinition<KeyNewInputs, KeyNewResult>

export const keyWrite = {
  name: 'key write',
  purpose: 'Print the write key of a key: it can back up, but not read backups.',
  inputs: writeInputs,
  run: makeWriteKey,
  givesSecret: true,
  headline: () => 'A write key',
  text: ({ writeKey }) => writeKey,
} as const satisfies CommandDefinition<KeyWriteInputs, KeyWriteResult>

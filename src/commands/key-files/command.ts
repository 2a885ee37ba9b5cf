import type { CommandDefinition } from '../command.ts'
import { addInputs, type KeyAddInputs, type KeyListInputs, type KeyRemoveInputs, listInputs, removeInputs } from './inputs.ts'
import * as keyFiles from './key-files.ts'
import { keyAddText, keyListHeadline, keyListText, keyRemoveText } from './report.ts'
import type { KeyAddResult, KeyListResult, KeyRemoveResult } from './result.ts'

export const keyList = {
  name: 'key list',
  purpose: 'List the key files of a store: the passphrases it can be opened with.',
  inputs: listInputs,
  run: keyFiles.keyList,
  headline: keyListHeadline,
  text: keyListText,
} as const satisfies CommandDefinition<KeyListInputs, KeyListResult>

export const keyAdd = {
  name: 'key add',
  purpose: 'Let one more passphrase open a store; nothing in it is written again.',
  inputs: addInputs,
  run: keyFiles.keyAdd,
  headline: keyAddText,
  text: keyAddText,
} as const satisfies CommandDefinition<KeyAddInputs, KeyAddResult>

export const keyRemove = {
  name: 'key remove',
  purpose: 'Remove a passphrase from a store.',
  inputs: removeInputs,
  run: keyFiles.keyRemove,
  headline: keyRemoveText,
  text: keyRemoveText,
} as const satisfies CommandDefinition<KeyRemoveInputs, KeyRemoveResult>

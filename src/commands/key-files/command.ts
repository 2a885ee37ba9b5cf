import type { Inputs } from '../../inputs.ts'
import type { CommandDefinition } from '../command.ts'
import * as keyFiles from './key-files.ts'
import { keyAddText, keyListHeadline, keyListText, keyRemoveText } from './report.ts'
import type { KeyAddResult, KeyListResult, KeyRemoveResult } from './result.ts'

export const keyList = {
  name: 'key list',
  purpose: 'List the key files of a store: the passphrases it can be opened with.',
  run: keyFiles.keyList,
  headline: keyListHeadline,
  text: keyListText,
} as const satisfies CommandDefinition<Inputs['key list'], KeyListResult>

export const keyAdd = {
  name: 'key add',
  purpose: 'Let one more passphrase open a store; nothing in it is written anew.',
  run: keyFiles.keyAdd,
  headline: keyAddText,
  text: keyAddText,
} as const satisfies CommandDefinition<Inputs['key add'], KeyAddResult>

export const keyRemove = {
  name: 'key remove',
  purpose: 'Take a passphrase away from a store.',
  run: keyFiles.keyRemove,
  headline: keyRemoveText,
  text: keyRemoveText,
} as const satisfies CommandDefinition<Inputs['key remove'], KeyRemoveResult>

import type { CommandDefinition } from '../command.ts'
import { extract as run } from './extract.ts'
import { type ExtractInputs, inputs } from './inputs.ts'
import { extractHeadline as headline, extractText as text } from './report.ts'
import type { ExtractResult } from './result.ts'

export const extract = {
  name: 'extract',
  purpose: 'Write a database, the rows of a table, a volume, or a file of a volume out of a snapshot, for other programs.',
  inputs,
  run,
  wroteData: ({ output }) => output === undefined,
  headline,
  text,
} as const satisfies CommandDefinition<ExtractInputs, ExtractResult>

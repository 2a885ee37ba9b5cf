import { asJson, type CommandDefinition } from '../command.ts'
import { copy as run } from './copy.ts'
import { type CopyInputs, inputs } from './inputs.ts'
import { copyHeadline as headline, copySummary as summary, copyText as text } from './report.ts'
import type { CopyResult } from './result.ts'

export const copy = {
  name: 'copy',
  purpose: 'Copy backups from one store to another as they are: encrypted, and only what is missing is transferred.',
  inputs,
  run,
  status: (result) => (hasFailed(result) ? 1 : 0),
  problems: ({ snapshots }) =>
    snapshots.flatMap(({ snapshot, problem }) => (problem === undefined ? [] : [`Snapshot ${snapshot} was not copied whole: ${problem}`])),
  redact: (result, apply) => ({
    ...result,
    snapshots: result.snapshots.map((one) => ({ ...one, ...(one.problem !== undefined && { problem: apply([one.problem])[0]! }) })),
  }),
  headline,
  notice: ({ bytes }) => ({ added: bytes }),
  text,
  summary,
  outputs: {
    outcome: { help: 'done, or failed when a snapshot could not be copied.', value: (result) => (hasFailed(result) ? 'failed' : 'done') },
    copied: {
      help: 'How many snapshots were copied.',
      value: ({ snapshots }) => `${snapshots.filter(({ outcome }) => outcome === 'copied').length}`,
    },
    bytes: { help: 'Bytes transferred.', value: ({ bytes }) => `${bytes}` },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    result: asJson('Everything about the copy, as JSON.'),
  },
} as const satisfies CommandDefinition<CopyInputs, CopyResult>

function hasFailed({ snapshots }: CopyResult): boolean {
  return snapshots.some(({ outcome }) => outcome === 'failed')
}

import { asJson, type CommandDefinition } from '../command.ts'
import { inputs, type VerifyInputs } from './inputs.ts'
import { isDamage } from './outcome.ts'
import { verifyHeadline as headline, verifySummary as summary, verifyText as text } from './report.ts'
import type { SnapshotVerified, VerifyResult } from './result.ts'
import { verify as run } from './verify.ts'

export const verify = {
  name: 'verify',
  purpose: 'Check that a backup can be read back.',
  inputs,
  run,
  isFinding: isDamage,
  status: ({ result }) => ({ verified: 0, failed: 1, 'could not verify': 3 } as const)[result],
  problems: ({ problems, result, set, snapshot, snapshots }) => {
    // Of several snapshots, each problem names its own.
    const about = snapshots ? `Backups of set ${set}` : `Backup ${snapshot} of set ${set}`
    return problems.length > 0 ? problems.map((problem) => `${about}: ${problem}`) : [`${about}: ${result}`]
  },
  redact: (result, apply) => ({
    ...redactedProblems(result, apply),
    ...(result.snapshots && { snapshots: result.snapshots.map((one) => redactedProblems(one, apply)) }),
  }),
  notice: ({ set, snapshot, bytes, level, result, advice }) => ({
    set, snapshot, size: bytes, advice, ...(result === 'verified' && { verified: level }),
  }),
  headline,
  text,
  summary,
  outputs: {
    outcome: { help: 'verified, failed, or could not verify.', value: ({ result }) => result },
    'snapshot-id': { help: 'The id of the snapshot that was checked.', value: ({ snapshot }) => snapshot },
    duration: { help: 'Seconds it took.', value: ({ seconds }) => `${seconds}` },
    attested: {
      help: 'With attest: true or false, whether the result was attested. Otherwise empty.',
      value: ({ attested }) => (attested === undefined ? '' : `${attested}`),
    },
    result: asJson('Everything about the verification, as JSON.'),
  },
} as const satisfies CommandDefinition<VerifyInputs, VerifyResult>

function redactedProblems<T extends SnapshotVerified>(result: T, apply: (texts: string[]) => string[]): T {
  return {
    ...result,
    problems: apply(result.problems),
    sources: result.sources.map((source) => ({ ...source, problems: apply(source.problems) })),
  }
}

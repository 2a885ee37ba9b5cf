import { asJson, type CommandDefinition } from '../command.ts'
import { inputs, type VerdictInputs } from './inputs.ts'
import { verdictHeadline as headline, verdictProblems as problems, verdictSummary as summary, verdictText as text } from './report.ts'
import type { VerdictResult } from './result.ts'
import { verdict as run } from './verdict.ts'

export const verdict = {
  name: 'verdict',
  purpose: 'Tell whether the jobs of a plan backed up everything: fail, and name what is missing, if they did not.',
  inputs,
  run,
  status: ({ sets, done }) => (done === sets.length ? 0 : 1),
  problems,
  redact: (result, apply) => ({
    ...result,
    sets: result.sets.map((one) => ({ ...one, ...(one.why !== undefined && { why: apply([one.why])[0]! }) })),
  }),
  headline,
  notice: ({ size, added }) => ({ size, added }),
  text,
  summary,
  outputs: {
    outcome: {
      help: 'complete or incomplete; failed if that could not be determined.',
      value: ({ sets, done }) => (done === sets.length ? 'complete' : 'incomplete'),
    },
    done: { help: 'How many sets this run backed up.', value: ({ done }) => `${done}` },
    unverified: {
      help: 'How many snapshots of this run were to be verified, and were not.',
      value: ({ unverified }) => `${unverified}`,
    },
    failed: { help: 'How many snapshots of this run are damaged.', value: ({ failed }) => `${failed}` },
    missing: { help: 'How many sets this run did not back up.', value: ({ missing }) => `${missing}` },
    oldest: { help: 'The time of the oldest among the newest backups of the sets.', value: ({ oldest }) => oldest?.time ?? '' },
    result: asJson('Everything that was found, as JSON.'),
  },
} as const satisfies CommandDefinition<VerdictInputs, VerdictResult>

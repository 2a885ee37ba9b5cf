import type { Finding } from '../../report/finding.ts'
import { asJson, type CommandDefinition } from '../command.ts'
import { doctor as run } from './doctor.ts'
import { type DoctorInputs, inputs } from './inputs.ts'
import { doctorHeadline as headline, doctorSummary as summary, doctorText as text } from './report.ts'
import type { DoctorResult } from './result.ts'

export const doctor = {
  name: 'doctor',
  purpose: 'Test a destination and databases for real, and say what to fix before a backup depends on them.',
  inputs,
  run,
  status: (result) => (ofState(result, 'bad').length > 0 ? 1 : 0),
  problems: (result) => ofState(result, 'bad').map(
    ({ about, check, says, fix }) => `${about}: ${check}: ${says}${fix === undefined ? '' : `\n${fix}`}`,
  ),
  redact: ({ checks, inputs }, apply) => ({
    inputs: inputs.map((input) => ({ ...input, ...(input.value !== undefined && { value: apply([input.value])[0]! }) })),
    checks: checks.map((check) => ({
      ...check,
      says: apply([check.says])[0]!,
      ...(check.fix !== undefined && { fix: apply([check.fix])[0]! }),
    })),
  }),
  headline,
  text,
  summary,
  outputs: {
    outcome: {
      help: 'done, or failed when a check found a problem.',
      value: (result) => (ofState(result, 'bad').length > 0 ? 'failed' : 'done'),
    },
    problems: { help: 'How many problems there are.', value: (result) => `${ofState(result, 'bad').length}` },
    warnings: { help: 'How many warnings there are.', value: (result) => `${ofState(result, 'warning').length}` },
    result: asJson('All checks, as JSON.'),
  },
} as const satisfies CommandDefinition<DoctorInputs, DoctorResult>

function ofState({ checks }: DoctorResult, wanted: Finding['state']): Finding[] {
  return checks.filter(({ state }) => state === wanted)
}

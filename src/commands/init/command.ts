import type { CommandDefinition } from '../command.ts'
import { init as run } from './init.ts'
import { type InitInputs, inputs } from './inputs.ts'
import { initHeadline as headline, initText as text } from './report.ts'
import type { InitResult } from './result.ts'

export const init = {
  name: 'init',
  readsNoConfiguration: true,
  purpose: 'Set up backups of a repository: key, secrets, workflows, and a first backup.',
  inputs,
  run,
  redact: (result, apply) => ({
    ...result,
    checks: result.checks.map((check) => ({
      ...check,
      says: apply([check.says])[0]!,
      ...(check.fix !== undefined && { fix: apply([check.fix])[0]! }),
    })),
  }),
  headline,
  text,
} as const satisfies CommandDefinition<InitInputs, InitResult>

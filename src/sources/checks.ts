import { LifeboatError } from '../error.ts'
import { inParallel } from '../process/parallel.ts'

/** Throws a LifeboatError for something that a target lacks. Changes nothing. */
export type Check = () => Promise<void>

/** Several reasons why a restore cannot start, numbered, and each hint once, with the numbers that it is for. Nothing was changed. */
export class CannotStart extends LifeboatError {
  readonly problems: readonly LifeboatError[]

  constructor(problems: readonly LifeboatError[]) {
    const numbered = problems.map(({ message, hint }, index) => ({ number: `${index + 1}`, message, hint }))
    const hints = [...Map.groupBy(numbered, ({ hint }) => hint)].flatMap(([hint, all]) =>
      (hint === undefined ? [] : [`For ${all.map(({ number }) => number).join(' and ')}: ${hint}`]))
    const list = numbered.map(({ number, message }) => `${number}. ${message}`)
    super(['the restore cannot start, and nothing was changed:', ...list].join('\n'), {
      hint: hints.join('\n'), cause: problems[0], status: problems.every(({ status }) => status === 2) ? 2 : 1 })
    this.problems = problems
  }
}

/** The step of a plan before data is replaced that nothing else keeps. */
export function backUpStep(where: string): string {
  return `Back up ${where} into the store: a safety backup. If that fails, nothing is restored.`
}

/** Makes all checks, `atOnce` of them at the same time, and throws one error for all problems: a single one as it is. */
export async function requireAll(checks: readonly Check[], atOnce = 1): Promise<void> {
  const problems: LifeboatError[] = []
  await allOf(checks, (error) => problems.push(...problemsOf(error)), atOnce)
  throwAll(problems)
}

export function throwAll(problems: readonly LifeboatError[]): void {
  if (problems.length > 1) throw new CannotStart(problems)
  if (problems[0]) throw problems[0]
}

export function problemsOf(error: LifeboatError): readonly LifeboatError[] {
  return error instanceof CannotStart ? error.problems : [error]
}

/** Makes all checks; problems are found in their order. After any other error than a problem of a target, no further check begins. */
export async function allOf(checks: readonly Check[], found: (error: LifeboatError) => void, atOnce = 1): Promise<void> {
  const problems = await inParallel(checks, atOnce, async (check) => {
    try {
      await check()
      return undefined
    } catch (error) {
      if (!(error instanceof LifeboatError) || error.status === 130) throw error
      return error
    }
  })
  for (const problem of problems) if (problem) found(problem)
}

import type { Variables } from '../environment.ts'
import { likelySecrets, secretsIn } from '../report/redaction.ts'
import type { Input } from './input.ts'

/** Every secret among the given values of these inputs, checked or not: they are masked before anything is printed. */
export function secretsGiven(
  rows: readonly [name: string, input: Input][],
  raw: Readonly<Record<string, string | undefined>>,
  variables: Variables,
): string[] {
  return rows.flatMap(([name, input]) => {
    const texts = [raw[name], input.variable && variables[input.variable]].filter((text): text is string => Boolean(text))
    return texts.flatMap((text) => secretsOf(input, text))
  })
}

/** The parts of the text of an input that must be masked. */
export function secretsOf(input: Input, text: string): string[] {
  return [...new Set([...(input.secrets?.(text) ?? []), ...(input.secret ? secretsIn(text) : likelySecrets(text))])]
}

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { definitionName, RESULT_SCHEMA } from '../../scripts/schema-names.ts'
import type { Command } from '../../src/commands/all.ts'
import { withSchema } from '../../src/commands/command.ts'
import { type CommandOutcome, runCommand } from '../../src/commands/run-command.ts'
import type { Environment } from '../../src/environment.ts'

const validators = new Map<string, z.ZodType>()
let definitions: Record<string, z.core.JSONSchema.JSONSchema> | undefined

/** Throws unless the text is one line with one object, which the schema in docs describes with all its members. */
export function requireDocumented(command: string, printed: string): void {
  if (!/^\{.*\}\n?$/.test(printed)) throw new Error(`${command} printed something else than one object on one line: ${printed.slice(0, 400)}`)
  const value: object = JSON.parse(printed)
  const { success, error } = validator('error' in value ? 'error' : definitionName(command)).safeParse(value)
  if (!success) throw new Error(`the result of ${command} is not as ${RESULT_SCHEMA} describes it (npm run generate writes it): ${z.prettifyError(error)}\n${printed.slice(0, 4000)}`)
}

/** Runs a command in this process, as `runCommand` does, and compares its result. */
export async function runDocumented<C extends Command>(
  command: C, raw: Readonly<Record<string, string | undefined>>, environment: Environment,
): Promise<CommandOutcome<C>> {
  const outcome = await runCommand(command, raw, environment)
  requireDocumented(command, JSON.stringify(withSchema(outcome.result)))
  return outcome
}

function validator(name: string): z.ZodType {
  definitions ??= closed(JSON.parse(readFileSync(path.join(import.meta.dirname, '../..', RESULT_SCHEMA), 'utf8')).$defs)
  let known = validators.get(name)
  if (!known) {
    known = z.fromJSONSchema({ $schema: 'https://json-schema.org/draft/2020-12/schema', $ref: `#/$defs/${name}`, $defs: definitions })
    validators.set(name, known)
  }
  return known
}

/** The schema allows more members, which may come; a test refuses those that it does not have. */
function closed<T>(schema: T): T
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map((one) => closed(one))
  if (schema === null || typeof schema !== 'object') return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([name, one]) => [name, closed<unknown>(one)]))
  return inner['type'] === 'object' ? { additionalProperties: false, ...inner } : inner
}

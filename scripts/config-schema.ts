// The text of docs/schema/lifeboat.schema.json: the JSON schema by which editors complete and check lifeboat.yml.
import { commands, configRow, definitionOf, inputsOf } from '../src/commands/all.ts'
import { SECTIONS } from '../src/inputs/file/settings.ts'
import type { Input } from '../src/inputs/input.ts'
import { knownValuesOf } from '../src/inputs/schemas.ts'

/** From the top of the repository. */
export const SCHEMA_FILE = 'docs/schema/lifeboat.schema.json'

type Schema = Readonly<Record<string, unknown>>

const DEFINITIONS = {
  // A number or a truth value means the text that it is written as.
  value: { type: ['string', 'number', 'boolean'] },
  variable: { type: 'string', pattern: String.raw`\$\{[A-Za-z_][A-Za-z0-9_]*\}` },
  values: { type: 'array', items: { $ref: '#/definitions/value' } },
  named: { type: 'object', additionalProperties: { anyOf: [{ $ref: '#/definitions/value' }, { $ref: '#/definitions/values' }] } },
} as const satisfies Record<string, Schema>

const to = (name: keyof typeof DEFINITIONS): Schema => ({ $ref: `#/definitions/${name}` })

export function configSchema(): string {
  const rows = commands.filter((command) => !definitionOf(command).readsNoConfiguration).map((command) => ({ command, rows: inputsOf(command).filter(([name, input]) => name !== configRow[0] && !input.once && !input.positional) }))
  const shared = Map.groupBy(rows.flatMap(({ rows }) => rows.filter(([, input]) => !input.own)), ([name]) => name)
  const top = new Map([...shared].map(([name, same]) => [name, property(same.map(([, input]) => input))]))
  const inSection = ([name, input]: readonly [string, Input]): [string, Schema] => {
    const own = property([input])
    return [name, JSON.stringify(own) === JSON.stringify(top.get(name)) ? { $ref: `#/definitions/input-${name}` } : own]
  }
  const sections = rows.filter(({ rows }) => rows.length > 0).map(({ command, rows }): [string, Schema] => [
    command, { description: definitionOf(command).purpose, ...closed(rows.map(inSection)) },
  ])
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: `https://raw.githubusercontent.com/OWNER/lifeboat/main/${SCHEMA_FILE}`,
    title: 'lifeboat.yml',
    description: 'Inputs of Lifeboat: at the top for every command that has them, under commands for one. docs/configuration.md describes the file.',
    definitions: { ...DEFINITIONS, ...Object.fromEntries([...top].map(([name, schema]) => [`input-${name}`, schema])) },
    ...closed([
      ...[...top.keys()].map((name): [string, Schema] => [name, { $ref: `#/definitions/input-${name}` }]),
      [SECTIONS, { description: 'Inputs for one command each; they precede those at the top.', ...closed(sections) }],
    ]),
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

/** An object that has no other members; nothing at all is an empty one. */
function closed(properties: readonly (readonly [name: string, schema: Schema])[]): Schema {
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) }
}

/** `inputs`: the definitions of one name in several commands. */
function property(inputs: readonly Input[]): Schema {
  const [first] = inputs
  const { help, example, default: text, secret } = first!
  const forms = [...new Map(inputs.flatMap(formsOf).map((form) => [JSON.stringify(form), form])).values()]
  return {
    description: help,
    // Beside $ref, draft 7 ignores everything else.
    anyOf: forms,
    ...(text && { default: text }),
    ...(!secret && !example.includes('${{') && { examples: [example] }),
  }
}

function formsOf({ schema, flag, list, pairs, secret, secrets }: Input): Schema[] {
  const { words, numbers } = knownValuesOf(schema) ?? {}
  const values = [
    ...(words ? [{ enum: words }] : []),
    ...(numbers ? [{ type: 'integer', minimum: numbers.least, maximum: numbers.most }] : []),
  ]
  return [
    ...(flag ? [{ type: 'boolean' }, to('variable')] : values.length > 0 ? [...values, to('variable')] : [to(secret && !secrets ? 'variable' : 'value')]),
    ...(list || pairs ? [to('values')] : []),
    ...(pairs ? [to('named')] : []),
  ]
}

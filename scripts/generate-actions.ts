// Writes action.yml of every action, docs/reference.md and the schemas of results and of lifeboat.yml, from src/commands.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Action, actions, definitionOf, inputsOf, outputsOf } from '../src/commands/all.ts'
import type { Input } from '../src/inputs/input.ts'
import { configSchema, SCHEMA_FILE } from './config-schema.ts'
import { referencePage } from './reference-page.ts'
import { resultSchema } from './result-schema.ts'
import { RESULT_SCHEMA } from './schema-names.ts'

/** Where the action of a command is described, from the top of the repository. */
export function actionFile(command: Action): string {
  return command === 'backup' ? 'action.yml' : `${command}/action.yml`
}

export function actionYaml(command: Action): string {
  return [
    '# Made by `npm run generate` from src/commands.',
    `name: ${actionName(command)}`,
    'author: The Lifeboat authors',
    `description: ${quoted(definitionOf(command).purpose)}`,
    'branding:',
    '  icon: life-buoy',
    '  color: orange',
    'inputs:',
    ...inputsOf(command).flatMap(([name, input]) => inputYaml(name, input)),
    'outputs:',
    ...outputsOf(command).flatMap(([name, description]) => [`  ${name}:`, `    description: ${quoted(description)}`]),
    'runs:',
    '  using: node24',
    `  main: ${entry(command, command)}`,
    `  post: ${entry(command, 'post')}`,
    '  post-if: always()',
    '',
  ].join('\n')
}

/** The Marketplace accepts no name that an account, a category or another action has; it shows the action at the top of the repository. */
function actionName(command: Action): string {
  return command === 'backup' ? 'Lifeboat PostgreSQL backup' : `Lifeboat ${command}`
}

/** An entry that the build writes, seen from the action's folder. */
function entry(command: Action, name: string): string {
  return `${command === 'backup' ? '' : '../'}dist/${name}.js`
}

function inputYaml(name: string, input: Input): string[] {
  return [
    `  ${name}:`,
    `    description: ${quoted(descriptionOf(input))}`,
    // An input that an environment variable can give instead is not required here.
    `    required: ${input.required === true && input.variable === undefined}`,
    ...(defaultOf(input) ? [`    default: ${quoted(defaultOf(input))}`] : []),
  ]
}

/** Defaults are told, and not declared: a declared one would look like an input that was given, and precede a configuration file. */
function descriptionOf({ help, variable, default: text, actionDefault }: Input): string {
  const said = text && !actionDefault ? text : undefined
  if (variable) return `${help} If not given, the environment variable ${variable} is used${said ? `, else ${said}` : ''}.`
  return said && !/\bDefault:/.test(help) ? `${help} Default: ${said}.` : help
}

/** The default of an input in action.yml: an expression that only the runner can evaluate. */
export function defaultOf(input: Input): string {
  return input.actionDefault ?? ''
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '..')
  for (const command of actions) {
    const file = path.join(root, actionFile(command))
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, actionYaml(command))
  }
  writeFileSync(path.join(root, 'docs/reference.md'), referencePage())
  mkdirSync(path.dirname(path.join(root, RESULT_SCHEMA)), { recursive: true })
  writeFileSync(path.join(root, RESULT_SCHEMA), `${JSON.stringify(resultSchema(), null, 1)}\n`)
  writeFileSync(path.join(root, SCHEMA_FILE), configSchema())
}

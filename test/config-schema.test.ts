import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { configSchema, SCHEMA_FILE } from '../scripts/config-schema.ts'
import { commands, definitionOf, inputsOf } from '../src/commands/all.ts'
import { settingsOf } from '../src/inputs/file/settings.ts'
import { readTree } from '../src/inputs/file/tree.ts'
import { valueProblems } from '../src/inputs/file/values.ts'

const root = path.join(import.meta.dirname, '..')
const text = readFileSync(path.join(root, SCHEMA_FILE), 'utf8')
const document: unknown = JSON.parse(text)
// An independent reading of the schema, without the definitions of the inputs.
const schema = z.fromJSONSchema(z.looseObject({}).parse(document))
const shape = z.looseObject({ properties: z.record(z.string(), z.unknown()), definitions: z.record(z.string(), z.looseObject({ description: z.string().optional() })) }).parse(document)
const example = readFileSync(path.join(root, 'workflows-examples/lifeboat.yml'), 'utf8')

test('the schema is what the generator makes', () => {
  expect(text).toBe(configSchema())
})

test('it has every input that a file may give, each with a description', () => {
  const names = new Set(commands.filter((command) => !definitionOf(command).readsNoConfiguration).flatMap((command) => inputsOf(command).filter(([name, { once, positional, own }]) => name !== 'config' && !once && !positional && !own).map(([name]) => name)))
  expect(Object.keys(shape.properties).toSorted()).toEqual(['commands', ...names].toSorted())
  for (const name of names) expect([name, shape.definitions[`input-${name}`]?.description?.length]).toEqual([name, expect.any(Number)])
  for (const yaml of ['keep-old: 2d', 'commands: {restore: {keep-old: 2d}}']) expect([yaml, schema.safeParse(parse(yaml)).success]).toEqual([yaml, yaml.startsWith('commands')])
})

/** Whether the program finds no fault in names, forms and values. */
async function isGood(yaml: string): Promise<boolean> {
  const { tree, problems } = await readTree(yaml)
  const found = settingsOf(tree, commands.map((name) => ({ name, rows: inputsOf(name).filter(([input]) => input !== 'config') })))
  return [...problems, ...found.problems, ...found.settings.flatMap(valueProblems)].length === 0
}

test.each([
  [example, true],
  ['set: production', true],
  ['commands: {verify: {level: read}}', true],
  ['commands: {verify: {level: "${LEVEL}"}}', true],
  ['compression-level: 3', true],
  ['compression-level: fast', true],
  ['dump-jobs: auto', true],
  ['dump-jobs: 4', true],
  ['rescan: true', true],
  ['tags: [nightly, 1, true]', true],
  ['database-url: {app: postgres://u@h/d}', true],
  ['retention: {daily: 7}', true],
  ['exclude: {uploads: [cache/, tmp/]}\nvolumes: {uploads: /srv}', true],
  ['commands: {restore: {database-url: postgres://u@h/d}}', true],
  ['retantion: 7d', false],
  ['commands: {verify: {levle: read}}', false],
  ['commands: {verfy: {level: read}}', false],
  ['commands: {verify: {level: deep}}', false],
  ['commands: {restore: {confirm: app}}', false],
  ['compression-level: 20', false],
  ['compression-level: best', false],
  ['dump-jobs: 9', false],
  ['rescan: maybe', false],
  ['set: [a]', false],
  ['set: {a: b}', false],
  ['tags: {a: b}', false],
  ['tags: [[a]]', false],
  ['backup: {verify: read}', false],
])('schema and program agree about %s', async (yaml, good) => {
  expect([schema.safeParse(parse(yaml)).success, await isGood(yaml)]).toEqual([good, good])
})

test('a key as plain text is refused by the schema as well', () => {
  expect(schema.safeParse({ 'encryption-key': 'correct horse battery' }).success).toBe(false)
  expect(schema.safeParse({ 'encryption-key': '${KEY}' }).success).toBe(true)
})

test('the example names the schema by its address', () => {
  expect(example.split('\n')[0]).toBe(`# yaml-language-server: $schema=${z.looseObject({ $id: z.string() }).parse(document).$id}`)
})

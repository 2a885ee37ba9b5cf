import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { actionFile, actionYaml, defaultOf } from '../scripts/generate-actions.ts'
import { referencePage, sharedRows } from '../scripts/reference-page.ts'
import { actions, commands, definitionOf, inputsOf, outputsOf } from '../src/commands/all.ts'
import { commandHelp } from '../src/cli/help.ts'
import { VERSION } from '../src/version.ts'

const root = path.join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

const described = z.strictObject({ description: z.string().min(10), required: z.boolean(), default: z.string().optional() })
const action = z.looseObject({
  inputs: z.record(z.string(), described),
  outputs: z.record(z.string(), z.strictObject({ description: z.string() })),
  runs: z.strictObject({ using: z.literal('node24'), main: z.string(), post: z.string(), 'post-if': z.literal('always()') }),
})

describe.each(actions)('%s', (command) => {
  const rows = inputsOf(command)
  const names = rows.map(([name]) => name)
  const file = actionFile(command)
  const yaml = action.parse(parse(read(file)))

  test('its action.yml has the inputs of the table, with their defaults', () => {
    expect(Object.keys(yaml.inputs)).toEqual(names)
    for (const [name, input] of rows) {
      expect([name, yaml.inputs[name]!.default ?? '']).toEqual([name, defaultOf(input)])
      expect([name, yaml.inputs[name]!.required]).toEqual([name, input.required === true && input.variable === undefined])
    }
  })

  test('its result is no secret', () => {
    expect(definitionOf(command).givesSecret).toBeUndefined()
  })

  test('its action.yml has the outputs of the list', () => {
    expect(Object.keys(yaml.outputs)).toEqual(outputsOf(command).map(([name]) => name))
  })

  test('its action.yml starts the entry that the build writes', () => {
    expect(path.join(path.dirname(file), yaml.runs.main)).toBe(`dist/${command}.js`)
    expect(path.join(path.dirname(file), yaml.runs.post)).toBe('dist/post.js')
    expect(existsSync(path.join(root, 'dist', `${command}.js`))).toBe(true)
  })

  test('its help has the inputs of the table', () => {
    const options = [...commandHelp(command).matchAll(/^ {2}(?:-[a-z], )?--([a-z-]+)/gm)].map((match) => match[1])
    expect(new Set(options)).toEqual(new Set([...names, 'json', 'quiet', 'verbose']))
    expect(options).toHaveLength(names.length + 3)
  })

  test('its action.yml is what the generator makes', () => {
    expect(read(file)).toBe(actionYaml(command))
  })
})

/** The names in the table of a section of docs/reference.md, and the shared inputs that the section names. */
function listed(title: string): { own: string[]; shared: string[] } {
  const section = read('docs/reference.md').split(/^## /m).find((part) => part.startsWith(`${title}\n`))!
  const shared = /^Shared inputs: (.*)\.$/m.exec(section)?.[1] ?? ''
  return { own: [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]!), shared: [...shared.matchAll(/`([a-z-]+)`/g)].map((match) => match[1]!) }
}

test.each(commands)('docs/reference.md has the inputs of %s', (command) => {
  const { own, shared } = listed(command)
  const names = inputsOf(command).map(([name]) => name)
  expect([...own, ...shared].toSorted()).toEqual(names.toSorted())
  for (const part of [own, shared]) expect(part).toEqual(names.filter((name) => part.includes(name)))
  expect(sharedRows().map(([name]) => name)).toEqual(expect.arrayContaining(shared))
})

test('docs/reference.md has the inputs that most actions have, each once', () => {
  expect(listed('Inputs that most actions have').own).toEqual(sharedRows().map(([name]) => name))
  for (const name of ['encryption-key', 'destination', 'timeout', 'token']) expect(sharedRows().map(([name]) => name)).toContain(name)
})

test('docs/reference.md is what the generator makes', () => {
  expect(read('docs/reference.md')).toBe(referencePage())
})

test('package.json and the program have the same version', () => {
  expect(z.looseObject({ version: z.string() }).parse(JSON.parse(read('package.json'))).version).toBe(VERSION)
})

test.each([['docs/security.md', 50], ['docs/architecture.md', 20], ['docs/format.md', 1], ['CONTRIBUTING.md', 0]] as const)('every file of tests and sources that %s names is there', (page, least) => {
  const named = [...read(page).matchAll(/`((?:test|src|scripts)\/[^`\s]+)`/g)].map((match) => match[1]!)
  expect(named.length).toBeGreaterThan(least - 1)
  expect(named.filter((file) => !existsSync(path.join(root, file)))).toEqual([])
})

test('comments in src name only files that are there', () => {
  const files = ['src', 'test', 'scripts', 'bench', 'docs'].flatMap((folder) => readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `/${folder}/${file}`))
  const sources = files.filter((file) => file.startsWith('/src/') && file.endsWith('.ts'))
  const named = sources.flatMap((file) => {
    const comments = [...read(file).matchAll(/^\s*(?:\/\*\*?|\*|\/\/)(.*)|\s\/\/ (.*)$/gm)].map((match) => match[1] ?? match[2]!)
    return comments.flatMap((comment) => [...comment.matchAll(/(?<![\w./-])[\w/-]+(?:\.test)?\.ts\b/g)].map(([name]) => ({ file, name })))
  })
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter(({ name }) => !files.some((file) => file.endsWith(`/${name}`)))).toEqual([])
})

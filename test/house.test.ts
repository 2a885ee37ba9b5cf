import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { commands, inputsOf } from '../src/commands/all.ts'

const root = path.join(import.meta.dirname, '../src')
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).toSorted()
const dashed = [...new Set(commands.flatMap((command) => inputsOf(command).map(([name]) => name)).filter((name) => name.includes('-')))]

/** Files where inputs are declared and read; elsewhere they are typed slices with names of their own. */
const INPUTS = /^(inputs|commands\/[^/]+)\//

/** The members, indexed accesses and type arguments of a program that are named like a dashed input: `'ssh-key'?: string`, `Inputs['ssh-key']`, `Pick<T, 'ssh-key'>`. */
function dashedNamesIn(program: string): string[] {
  const code = program.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  const quoted = `(['"\`])(?<name>${dashed.join('|')})\\1`
  const uses = [`${quoted}\\??\\s*:`, `\\[\\s*${quoted}\\s*\\]`, `[<|,&]\\s*${quoted}\\s*[>|,&]`, `\\btype\\s+\\w+\\s*=\\s*${quoted}`]
  return uses.flatMap((use) => [...code.matchAll(new RegExp(use, 'g'))].map(({ groups }) => groups!['name']!))
}

test.each(files.filter((file) => !INPUTS.test(file)))('%s takes slices of inputs, and none by its dashed name', (file) => {
  expect(dashedNamesIn(readFileSync(path.join(root, file), 'utf8'))).toEqual([])
})

test.each([
  ["interface Access { 'ssh-key'?: string | undefined }", 'ssh-key'],
  ["function f(inputs: Inputs['backup']) { return inputs['encryption-key'] }", 'encryption-key'],
  ["type Some = Pick<Inputs, 'destination' | 'ssh-key'>", 'ssh-key'],
  ["type Name = 'client-install'", 'client-install'],
  ["type Name = 'set' | \"client-install\" | 'x'", 'client-install'],
])('%s would be found', (program, name) => {
  expect(dashedNamesIn(program)).toEqual([name])
})

test('the files that declare inputs use their dashed names', () => {
  const using = files.filter((file) => INPUTS.test(file) && dashedNamesIn(readFileSync(path.join(root, file), 'utf8')).length > 0)
  expect(using).toEqual(expect.arrayContaining(['commands/backup/inputs.ts', 'commands/restore/inputs.ts', 'inputs/store.ts']))
})

/** Files of kinds with the same name are one place. */
function placeOf(file: string): string {
  return file.replace(/^(stores|sources)\/[^/]+\//, '$1/*/')
}

/** The types, classes and constants that files export, with their places. */
function exportedNames(programs: ReadonlyMap<string, string>): Map<string, string[]> {
  const found = [...programs].flatMap(([file, program]) =>
    [...program.matchAll(/^export (?:abstract )?(?:interface|type|class|const) ([A-Z]\w*)/gm)].map(([, name]) => ({ name: name!, place: placeOf(file) })))
  return new Map([...Map.groupBy(found, ({ name }) => name)].map(([name, all]) => [name, [...new Set(all.map(({ place }) => place))]]))
}

test('a name means one thing: no two files export the same', () => {
  const names = exportedNames(new Map(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')])))
  expect(names.size).toBeGreaterThan(300)
  expect([...names].filter(([, places]) => places.length > 1)).toEqual([])
})

test('a name of two files would be found', () => {
  const programs = new Map([['inputs/plan.ts', 'export interface Plan {}'], ['stores/s3/a.ts', 'export class Plan {}\nexport const MOST = 1'], ['stores/file/a.ts', 'export const MOST = 2']])
  expect([...exportedNames(programs)]).toEqual([['Plan', ['inputs/plan.ts', 'stores/*/a.ts']], ['MOST', ['stores/*/a.ts']]])
})

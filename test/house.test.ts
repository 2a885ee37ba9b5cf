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

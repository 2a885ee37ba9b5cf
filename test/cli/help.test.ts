import { readArguments } from '../../src/cli/arguments.ts'
import { examples } from '../../src/cli/examples.ts'
import { commandHelp, programHelp } from '../../src/cli/help.ts'
import { commands, inputsOf } from '../../src/commands/all.ts'
import { parseInput } from '../../src/inputs/parse.ts'

test.each(commands)('the examples of %s are commands that the program takes', (command) => {
  expect(examples[command]).not.toHaveLength(0)
  for (const example of examples[command]) {
    expect(example.startsWith(command)).toBe(true)
    // As a shell splits them; a variable has a value that is checked elsewhere.
    const words = [...example.slice(command.length).replace(/ > .*/, '').matchAll(/'([^']*)'|"\$\w+"|(\S+)/g)].map(([all, quoted, plain]) => quoted ?? plain ?? all)
    const { raw } = readArguments(command, inputsOf(command), {}, words)
    for (const [name, input] of inputsOf(command)) if (raw[name] !== undefined && !raw[name].startsWith('"$')) expect(() => parseInput(name, input, raw[name])).not.toThrow()
  }
})

test.each([40, 60, 80, 100])('the help fits a terminal of %d columns, but for examples and names, and comes with examples first', (width) => {
  for (const text of [programHelp(width), ...commands.map((command) => commandHelp(command, width))]) {
    const long = text.split('\n').filter((line) => line.length > width && !/^ {2}(?:lifeboat |-)/.test(line) && line.trim().includes(' '))
    expect(long).toEqual([])
  }
  expect(commandHelp('restore', 80).split('\n').findIndex((line) => line.startsWith('  lifeboat restore'))).toBeLessThan(5)
})

test('inputs that nearly everyone gives are first', () => {
  const [usual] = commandHelp('backup').split('More:')
  for (const name of ['database-url', 'encryption-key', 'destination', 'set']) expect(usual).toContain(`--${name} `)
  expect(usual).not.toContain('--ssh-key ')
  expect(usual).not.toContain('--part ')
})

import { readArguments } from '../../src/cli/arguments.ts'
import { type Command, commands, inputsOf } from '../../src/commands/all.ts'
import type { Input } from '../../src/inputs/input.ts'

const input = (command: Command, name: string): Input => inputsOf(command).find(([known]) => known === name)![1]
const place = { ...input('verify', 'snapshot'), positional: true } as const satisfies Input
const rows: [string, Input][] = [['from', place], ['more', { ...place, list: true }], ['set', input('list', 'set')], ['dry-run', input('restore', 'no-owner')]]
const read = (...given: string[]) => readArguments('show', rows, { json: '', quiet: 'q' }, given)

test('values without a name fill the positional inputs in their order, the last of them, a list, with all that follow', () => {
  expect(read('a', '--set', 'app', 'b', 'c', '--json')).toEqual({ raw: { from: 'a', more: 'b\nc', set: 'app' }, switches: new Set(['json']) })
  expect(read('a').raw).toEqual({ from: 'a' })
  expect(read('--dry-run', 'a').raw).toEqual({ from: 'a', 'dry-run': 'true' })
  expect(read('--from', 'a', '--dry-run').raw).toEqual({ from: 'a', 'dry-run': 'true' })
})

test('an input that is given with its name and without it is given twice', () => {
  expect(() => read('a', '--from', 'b')).toThrow('--from is given 2 times')
})

test('a letter stands for a name, each for one in every command', () => {
  const short = { ...input('list', 'set') }
  const letters = (...given: string[]) => readArguments('show', [['set', short], ['dry-run', { ...input('restore', 'no-owner'), short: 'n' }]], { quiet: 'q' }, given)
  expect(letters('-s', 'shop', '-n', '-q')).toEqual({ raw: { set: 'shop', 'dry-run': 'true' }, switches: new Set(['quiet']) })
  expect(letters('-q', '-sshop', '-n').raw).toEqual({ set: 'shop', 'dry-run': 'true' })
  expect(() => letters('-s')).toThrow('--set is not followed by a value')
  expect(() => letters('-s', '-q')).toThrow('--set is not followed by a value')
  expect(() => letters('-x', 'hunter22')).toThrow('show has no input "x"')
  expect(() => letters('-d', 'hunter22')).toThrow('show has no input "d"; did you mean dry-run?')
  for (const command of commands) {
    const taken = inputsOf(command).flatMap(([, { short }]) => short ?? []).concat('q', 'v', 'h')
    expect([command, taken.filter((letter, index) => taken.indexOf(letter) !== index)]).toEqual([command, []])
  }
})

test.each([['a', '--set', ''], ['a', '--set='], [''], ['a', 'b', '']])('an empty value (%j) is refused: a variable of the script may be unset', (...given) => {
  expect(() => read(...given)).toThrow(expect.objectContaining({ message: expect.stringMatching(/^--(set|from|more) is given an empty value$/), status: 2, hint: expect.stringContaining('unset') }))
})

test('without a positional input every value needs its name, and is not shown, because it may be a secret', () => {
  expect(() => readArguments('list', [['set', input('list', 'set')]], {}, ['hunter22'])).toThrow('Unexpected argument 1, which may be a secret and is not shown')
})

test('the id of a snapshot without its name is shown, with the option that takes it', () => {
  const id = '20261120T020000Z-5f3a9c1e'
  expect(() => readArguments('restore', [['snapshot', input('restore', 'snapshot')]], {}, [id])).toThrow(expect.objectContaining({ message: `Unexpected argument "${id}"`, hint: `Give it as --snapshot ${id}. See lifeboat restore --help.` }))
})

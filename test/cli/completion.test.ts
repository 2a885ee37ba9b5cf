import { execFileSync } from 'node:child_process'
import { completionScript } from '../../src/cli/completion.ts'
import { commands, inputsOf } from '../../src/commands/all.ts'

const switches = { json: '', quiet: 'q' }

/** The words that bash offers for the last of these. */
function offered(...words: string[]): string[] {
  const script = `${completionScript('bash', switches)}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lifeboat; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script, 'bash', 'lifeboat', ...words], { encoding: 'utf8' }).split('\n').filter((word) => word !== '')
}

test('bash completes commands, their second words and the options of each', () => {
  expect(offered('ba')).toEqual(['backup'])
  expect(offered('key', '')).toEqual(['new', 'write', 'list', 'add', 'remove'])
  expect(offered('key', 'new', '--post')).toEqual(['--post-quantum'])
  expect(offered('restore', '--mo')).toEqual(['--mode'])
  expect(offered('restore', '--set', 'production', '--lock')).toEqual(['--lock-timeout'])
  expect(offered('help', 'ver')).toEqual(['verify', 'verdict'])
  expect(offered('completion', 'f')).toEqual(['fish'])
  // Values are names of files, which bash knows best.
  expect(offered('restore', '--target', 'src')).toEqual([])
})

test.each(commands)('every option of %s is in each script', (command) => {
  const names = inputsOf(command).map(([name]) => name)
  expect(offered(...command.split(' '), '--')).toEqual([...names, 'json', 'quiet'].map((name) => `--${name}`))
  for (const name of names) expect(completionScript('fish', switches)).toContain(`-l ${name} `)
})

test('the script for zsh lets it read the one for bash; another shell is refused', () => {
  expect(completionScript('zsh', switches)).toContain(`bashcompinit\n${completionScript('bash', switches)}`)
  expect(() => completionScript('tcsh', switches)).toThrow(expect.objectContaining({ status: 2, hint: 'Give bash, zsh or fish.' }))
})

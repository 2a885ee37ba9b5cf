import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { completionScript } from '../../src/cli/completion.ts'
import { commands, inputsOf } from '../../src/commands/all.ts'

const switches = { json: '', quiet: 'q' }

/** The words that bash offers for the last of these. */
function offered(...words: string[]): string[] {
  const script = `${completionScript('bash', switches)}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lifeboat; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script, 'bash', 'lifeboat', ...words], { encoding: 'utf8', env: process.env }).split('\n').filter((word) => word !== '')
}

test('bash completes commands, their second words and the options of each', () => {
  expect(offered('ba')).toEqual(['backup'])
  expect(offered('key', '')).toEqual(['new', 'write', 'list', 'add', 'remove'])
  expect(offered('key', 'new', '--post')).toEqual(['--post-quantum'])
  expect(offered('restore', '--mo')).toEqual(['--mode'])
  expect(offered('restore', '--set', 'production', '--lock')).toEqual(['--lock-timeout'])
  expect(offered('help', 'ver')).toEqual(['verify', 'verdict'])
  expect(offered('completion', 'f')).toEqual(['fish'])
  expect(offered('restore', '--mode', '')).toEqual(['empty', 'create', 'clean', 'overwrite', 'swap'])
  expect(offered('restore', '-m', 'cr')).toEqual(['create'])
  expect(offered('verify', '--set', 'x', '--level', 're')).toEqual(['read'])
  expect(offered('backup', '--verify', '')).toContain('none')
  // Values are names of files, which bash knows best.
  expect(offered('restore', '--target', 'src')).toEqual([])
})

test('of a list, each word is completed', () => {
  expect(offered('list', '--columns', 'si')).toEqual(['size'])
  expect(offered('list', '--columns', 'snapshot,si')).toEqual(['snapshot,size'])
  expect(offered('list', '--columns', 'snapshot,')).toContain('snapshot,notes')
  expect(offers('list --columns snapshot,si') ?? ['snapshot,size']).toEqual(['snapshot,size'])
})

describe('a store in a folder', () => {
  let store: string
  beforeEach(() => {
    store = mkdtempSync(path.join(tmpdir(), 'lifeboat-completion-'))
    for (const name of ['app/20261119T020000Z-5f3a9c1e.json.zst', 'wiki/20261120T020000Z-0b1c2d3e.json.zst', '$(touch evil)/20261120T020000Z-$(touch evil).json.zst', 'app/other.json.zst']) {
      mkdirSync(path.join(store, 'snapshots', path.dirname(name)), { recursive: true })
      writeFileSync(path.join(store, 'snapshots', name), '')
    }
    process.env['LIFEBOAT_DESTINATION'] = `file:${store}?mounted=false`
  })
  afterEach(() => {
    delete process.env['LIFEBOAT_DESTINATION']
    rmSync(store, { recursive: true })
    expect(existsSync('evil')).toBe(false)
  })

  test('gives its sets and the ids of its snapshots, but no name that gives commands to the shell', () => {
    const ids = ['20261119T020000Z-5f3a9c1e', '20261120T020000Z-0b1c2d3e']
    expect(offered('list', '--set', '')).toEqual(['app', 'wiki'])
    expect(offered('backup', '-s', 'wi')).toEqual(['wiki'])
    expect(offered('restore', '--snapshot', '').toSorted()).toEqual(ids)
    expect(offered('show', '20261120').toSorted()).toEqual([ids[1]])
    expect(offered('diff', ids[0]!, '').toSorted()).toEqual(ids)
    // The second place is the name of a source, and an option takes its own values.
    expect(offered('extract', ids[0]!, '')).toEqual([])
    expect(offered('show', '--destination', '')).toEqual([])
    expect(offered('show', '--dest')).toEqual(['--destination'])
  })

  test('gives them to fish and zsh too', () => {
    expect(offers('list --set ')?.toSorted() ?? ['app', 'wiki']).toEqual(['app', 'wiki'])
    expect(offers('restore --snapshot 202611190') ?? ['20261119T020000Z-5f3a9c1e']).toEqual(['20261119T020000Z-5f3a9c1e'])
    const found = words('list', '--set', 'a')
    if (found !== undefined) expect(found[1]!.split(' ').toSorted()).toEqual(['app', 'wiki'])
  })
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

/** The lines that a real shell prints after it has read the script; undefined if there is no such shell. */
function shell(name: 'zsh' | 'fish', commands: string): string[] | undefined {
  if (spawnSync(name, ['--version']).error) return undefined
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-completion-'))
  try {
    const file = path.join(folder, 'script')
    writeFileSync(file, completionScript(name, switches))
    const given = name === 'zsh' ? ['-f', '-c', commands] : ['--no-config', '-c', commands]
    return execFileSync(name, given, { encoding: 'utf8', env: { ...process.env, HOME: folder, SCRIPT: file, ZDOTDIR: folder } }).trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const offers = (typed: string): string[] | undefined => shell('fish', `source $SCRIPT; complete -C "lifeboat ${typed}"`)?.map((line) => line.split('\t')[0]!)

test('fish offers commands, options and the words that an option takes', () => {
  if (offers('') === undefined) return
  expect(offers('res')).toEqual(['restore'])
  expect(offers('restore --mo')).toEqual(['--mode'])
  expect(offers('restore --mode ')!.toSorted()).toEqual(['clean', 'create', 'empty', 'overwrite', 'swap'])
  expect(offers('verify --level re')).toEqual(['read'])
})

const words = (...typed: string[]): string[] | undefined => shell('zsh', [
  'source $SCRIPT; print -r -- ${_comps[lifeboat]}; setopt ksh_arrays sh_word_split',
  `COMP_WORDS=(lifeboat ${typed.join(' ')}); COMP_CWORD=${typed.length}; _lifeboat; print -r -- "\${COMPREPLY[@]}"`,
].join('\n'))

test('zsh takes the script, and offers what it says', () => {
  const found = words('restore', '--mode', 'c')
  if (found === undefined) return
  // zsh itself leaves out what does not begin with what is typed.
  expect(found).toEqual([expect.stringContaining('_bash_complete'), 'empty create clean overwrite swap'])
  expect(words('ba')![1]!.split(' ')).toEqual(expect.arrayContaining([...commands.filter((command) => !command.includes(' ')), 'key']))
})

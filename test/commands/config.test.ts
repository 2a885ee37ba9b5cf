import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Command, commands, inputsOf } from '../../src/commands/all.ts'
import { configured, type Configured } from '../../src/commands/configured.ts'
import type { Environment } from '../../src/environment.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { filled } from '../../src/inputs/file/fill.ts'
import { readSettings } from '../../src/inputs/file/read-settings.ts'
import { quiet } from '../support/quiet.ts'
import { thrownBy } from '../support/thrown.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-config-'))))
afterEach(() => rmSync(folder, { recursive: true }))

interface Told extends Configured {
  masked: string[]
  told: string[]
  warned: string[]
}

/** The inputs of a command with a file of this text, which is named unless `given` says otherwise. */
async function read(text: string | Buffer, command: Command = 'backup', given: Record<string, string> = {}, variables: Record<string, string> = {}): Promise<Told> {
  const file = path.join(folder, 'lifeboat.yml')
  writeFileSync(file, text)
  return readAt(file, command, given, variables)
}

async function readAt(file: string, command: Command = 'backup', given: Record<string, string> = {}, variables: Record<string, string> = {}): Promise<Told> {
  const [masked, told, warned]: string[][] = [[], [], []]
  const report: Environment['report'] = { ...quiet, mask: (secret) => masked!.push(secret), info: (text) => told!.push(text), warning: (text) => warned!.push(text) }
  const environment: Environment = { variables, report, signal: new AbortController().signal, temporary: folder, now: () => new Date() }
  return { ...(await configured(command, { config: file, ...given }, environment)), masked: masked!, told: told!, warned: warned! }
}

/** The faults of a file, without its path. */
async function faults(text: string, command?: Command, variables?: Record<string, string>): Promise<string[]> {
  const { problem } = await read(text, command, {}, variables)
  return (problem?.message ?? '').replaceAll(path.join(folder, 'lifeboat.yml'), 'F').replace(/^F has \d+ problems:\n/, '').split('\n').filter((line) => line !== '')
}

const KEY = 'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ'

describe('faults are told with line and column', () => {
  test.each([
    ['an unknown key', 'set: a\nretantion: 7d\n', ['F, line 2, column 1: unknown key "retantion"; did you mean retention?']],
    ['a key like nothing else', 'xyzzy: 1', ['F, line 1, column 1: unknown key "xyzzy"']],
    ['a key that may be a secret', 'hunter2/secret+x: 1', ['F, line 1, column 1: unknown key that is not shown, because it is no word']],
    ['a command at the top', 'backup:\n  verify: read\n', ['F, line 1, column 1: backup is a command. Its inputs are written under commands:']],
    ['an unknown command', 'commands:\n  bakcup:\n    verify: read\n', ['F, line 2, column 3: there is no command "bakcup"; did you mean backup?']],
    ['an input that a command does not have', 'commands:\n  verify:\n    levle: read\n', ['F, line 3, column 5: verify has no input "levle"; did you mean level?']],
    ['commands without a map', 'commands: backup', ['F, line 1, column 1: commands: the names of commands are expected below it, each with its inputs']],
    ['a command without a map', 'commands:\n  backup: yes', ['F, line 2, column 3: backup: inputs are expected below it, each with a value']],
    ['an input of one call', 'confirm: app', ['F, line 1, column 1: confirm is about one call, and no file gives it']],
    ['what takes away the way back', 'safety-backup: false\ncommands:\n  restore:\n    drop-others: true\n    delete-extra: true\n', [
      'F, line 1, column 1: safety-backup is about one call, and no file gives it',
      'F, line 4, column 5: drop-others is about one call, and no file gives it',
      'F, line 5, column 5: delete-extra is about one call, and no file gives it',
    ]],
    ['what a restore does to its target, at the top', 'terminate-connections: true\nglobals: all\ncommands:\n  restore:\n    skip-damaged: true\n', [
      'F, line 1, column 1: terminate-connections is given in the section of its command: commands, restore',
      'F, line 2, column 1: globals is given in the section of its command: commands, restore',
    ]],
    ['an input without a name of its own', 'snapshots: latest', ['F, line 1, column 1: snapshots is about one call, and no file gives it']],
    ['no value', 'set:\ntags: ~\n', ["F, line 1, column 1: set has no value. Remove the line, or write '' for an empty text", "F, line 2, column 1: tags has no value. Remove the line, or write '' for an empty text"]],
    ['a list of one value', 'set: [a, b]', ['F, line 1, column 6: set takes one value, and no list']],
    ['a map of one value', 'set:\n  a: b\n', ['F, line 2, column 3: set takes no names with values']],
    ['a map in a list', 'tags:\n  - a: b\n', ['F, line 2, column 5: tags: an item with ": " in it needs quotation marks']],
    ['an item of several lines', 'tags:\n  - |\n    a\n    b\n', ['F, line 2, column 5: tags: an item has several lines']],
    ['a name with =', 'volumes:\n  "a=b": /c\n', ['F, line 2, column 3: volumes: a name must not have =, a line end or ${ in it']],
    ['an invalid value', 'set: a\ncommands:\n  verify:\n    level: deep\n', ['F, line 4, column 12: level: "deep" is not one of list, read, drill. For example: read']],
    ['an invalid item', 'tags:\n  - good\n  - not so good\n', [expect.stringMatching(/^F, line 3, column 5: tags: "not so good" is not a tag\. Expected /)]],
    ['an invalid value of a map', 'retention:\n  daily: 7\n  dayly: 7\n', [expect.stringMatching(/^F, line 3, column 10: retention: "dayly=7" is not a rule; did you mean daily=\?\. Expected /)]],
    ['a value that some commands refuse', 'format: csv', [expect.stringMatching(/^F, line 1, column 9: format: "csv" is not one of .* \(as an input of list\)$/)]],
    ['an expression of a workflow', 'set: ${{ github.ref }}', ['F, line 1, column 6: set: ${{ … }} is for workflows. Set an environment variable in the workflow (env:) and write ${NAME} here; $${ for a plain ${']],
    ['half a variable', 'description: "cost ${5}"', ['F, line 1, column 14: description: ${ is not followed by the name of an environment variable and }. Write $${ for a plain ${']],
    ['a tab', 'set: a\ncommands:\n\tbackup:\n', ['F, line 3, column 1: a tab is not allowed as indentation. Use spaces']],
    ['an anchor and an alias', 'set: &x a\ndescription: *x\n', ['F, line 1, column 9: an anchor (&) is not supported. Write the value where it is needed', 'F, line 2, column 14: an alias (*) is not supported. Write the value again']],
    ['a tag', 'set: !!str a', [expect.stringMatching(/^F, line 1, column \d+: a tag \(!\) is not supported/)]],
    ['a tag of its own', 'set: !js/function "x"', [expect.stringMatching(/^F, line 1, column \d+: a tag \(!\) is not supported/)]],
    ['a key twice', 'set: a\nset: b\n', ['F, line 2, column 1: the key is there a second time']],
    ['two documents', 'set: a\n---\nset: b\n', ['F, line 2, column 1: a second document (---) begins. Write everything into one']],
    ['a merge', '<<: {set: a}', ['F, line 1, column 1: unknown key that is not shown, because it is no word']],
    ['a list at the top', '- set: a', ['F, line 1, column 1: the file does not begin with a name, a colon and a value']],
    ['nothing', '# later\n', ['F, line 1, column 1: the file is empty']],
    ['a missing quotation mark', 'set: "a\ntags: b\n', [expect.stringMatching(/^F, line \d, column \d+: a colon, a comma/)]],
  ])('%s', async (_, text, expected) => {
    expect(await faults(text)).toEqual(expected)
  })

  test('all at once, in the order of the lines', async () => {
    const found = await faults('set: [a]\nretantion: 7d\ncommands:\n  verify:\n    level: deep\nencryption-key: short\n')
    expect(found.map((text) => /line \d+/.exec(text)![0])).toEqual(['line 1', 'line 2', 'line 5', 'line 6'])
  })

  test('deeply nested lists end, and are one fault', async () => {
    for (const open of ['[', '{a: ']) expect(await faults(open.repeat(60_000))).toHaveLength(1)
    expect(await faults(`set: ${'['.repeat(30)}a${']'.repeat(30)}`)).toEqual(['F, line 1, column 6: set takes one value, and no list', 'F, line 1, column 11: lists and maps are nested too deeply'])
  })

  test('of thousands of faults, 50 are told', async () => {
    const { problem } = await read(Array.from({ length: 2000 }, (_, index) => `x${index}: 1`).join('\n'))
    expect(problem!.message.split('\n')).toHaveLength(52)
    expect(problem!.message).toMatch(/has 2000 problems:[^]*and 1950 more$/)
  })

  test('a fault in the section of another command is told as well, and notifications still know where to go', async () => {
    const { raw, problem } = await read('notify: ntfy:https://ntfy.example.com/x\ncommands:\n  verify:\n    levle: read\n')
    expect(problem).toMatchObject({ status: 2, hint: expect.stringContaining('docs/configuration.md') })
    expect(raw).toMatchObject({ notify: 'ntfy:https://ntfy.example.com/x' })
  })
})

const file = (): string => path.join(folder, 'x.yml')

describe('the file itself', () => {
  const content = 'set: shop\r\ntags:\r\n  - a\r\n  - b\r\ndescription: |\r\n  two\r\n  lines\r\n'

  test('CRLF and a byte order mark make no difference', async () => {
    const expected = (await read(content.replaceAll('\r', ''))).raw
    expect(expected).toEqual({ set: 'shop', tags: 'a\nb', description: 'two\nlines' })
    expect((await read(content)).raw).toEqual(expected)
    expect((await read(`\uFEFF${content}`)).raw).toEqual(expected)
  })

  test.each([
    ['is missing', () => undefined, 'cannot be read: there is no such file'],
    ['has 10 MB', () => writeFileSync(file(), Buffer.alloc(10_000_000, '# x\n')), 'has more than 256 KiB'],
    ['is a folder', () => mkdirSync(file()), 'is a folder'],
    ['is a pipe', () => void execFileSync('mkfifo', [file()]), 'is no file'],
    ['is a link to nothing', () => symlinkSync('nowhere', file()), 'cannot be read: there is no such file'],
    ['is a link to itself', () => symlinkSync('x.yml', file()), 'cannot be read: its symbolic links lead in a circle'],
    ['is not UTF-8', () => writeFileSync(file(), Buffer.from([0x73, 0xff, 0xfe])), 'is not UTF-8 text'],
  ])('a file that %s is refused', async (_, make, expected) => {
    make()
    expect(await thrownBy(readAt(file()))).toMatchObject({ message: `config: ${file()} ${expected}`, status: 2, hint: expect.stringContaining('docs/configuration.md') })
  })

  test('a file without permission is refused', async () => {
    if (process.getuid!() === 0) return
    writeFileSync(file(), 'set: a')
    chmodSync(file(), 0)
    expect(await thrownBy(readAt(file()))).toMatchObject({ message: `config: ${file()} cannot be read: permission denied`, status: 2 })
  })

  test('a link to a file is read if it is named', async () => {
    writeFileSync(path.join(folder, 'real.yml'), 'set: linked')
    symlinkSync('real.yml', file())
    expect((await readAt(file())).raw).toEqual({ set: 'linked' })
  })

  test('none reads nothing, and a run of pull_request_target no file', async () => {
    expect((await readAt('none')).raw).toEqual({})
    expect(await thrownBy(read('set: a', 'backup', {}, { GITHUB_EVENT_NAME: 'pull_request_target' }))).toMatchObject({ status: 2, message: expect.stringContaining("may be that of a stranger's branch") })
  })

  test('the variable names it as well', async () => {
    writeFileSync(file(), 'set: a')
    expect((await readAt('', 'backup', {}, { LIFEBOAT_CONFIG: file() })).raw).toMatchObject({ set: 'a' })
  })
})

test('an input precedes its variable, which precedes the section, which precedes the top, which precedes the default', async () => {
  const text = 'set: top\ntimeout: 1m\ntimezone: Europe/Berlin\nencryption-key: ${KEY}\ndestination: /from/file\ncommands:\n  list:\n    timeout: 2m\n    timezone: Asia/Tokyo\n'
  const { raw, configuration, told } = await read(text, 'list', { timezone: 'Africa/Lagos' }, { KEY: 'the key of the file', LIFEBOAT_DESTINATION: '/from/variable' })
  expect(raw).toEqual({ set: 'top', timeout: '2m', timezone: 'Africa/Lagos', 'encryption-key': 'the key of the file' })
  const file = path.join(folder, 'lifeboat.yml')
  expect(configuration.origins).toEqual(expect.arrayContaining([
    { name: 'destination', from: 'environment variable LIFEBOAT_DESTINATION', value: '/from/variable' },
    { name: 'encryption-key', from: `${file}, line 4` },
    { name: 'format', from: 'default', value: 'text' },
    { name: 'set', from: `${file}, line 1`, value: 'top' },
    { name: 'timeout', from: `${file}, line 8`, value: '2m' },
    { name: 'timezone', from: 'input', value: 'Africa/Lagos' },
  ]))
  expect(told).toEqual([`inputs that are not given are taken from ${file}`, `LIFEBOAT_DESTINATION is set, and precedes destination in line 5 of ${file}`])
})

test('a variable with the same value as the file is no news, and the variables of PostgreSQL are defaults', async () => {
  const { told, raw } = await read('database-url: ${DATABASE_URL}\n', 'backup', {}, { DATABASE_URL: 'postgres://u@h/d' })
  expect([told.length, raw['database-url']]).toEqual([1, undefined])
  expect((await read('database-url: postgres://u@h/d', 'backup', {}, { PGHOST: 'elsewhere', PGDATABASE: 'x' })).raw).toEqual({ 'database-url': 'postgres://u@h/d' })
})

test('lists and maps are the lines of the inputs', async () => {
  const text = [
    'database-url:', '  app: postgres://u@h/app', '  crm: postgres://u@h/crm', 'volumes: {uploads: /srv/uploads}', 'exclude:', '  uploads: [cache/, "*.tmp"]',
    'retention: {daily: 7, within: 30d}', 'destination: [/one, /two]', 'tags: [a, 1, true]', 'scratch-url: postgres://u@h/x', 'assert-sql:', '  orders exist: SELECT true',
  ].join('\n')
  expect((await read(text)).raw).toEqual({
    'database-url': 'app=postgres://u@h/app\ncrm=postgres://u@h/crm', volumes: 'uploads=/srv/uploads', exclude: 'uploads=cache/\nuploads=*.tmp',
    retention: 'daily=7\nwithin=30d', destination: '/one\n/two', tags: 'a\n1\ntrue', 'scratch-url': 'postgres://u@h/x', 'assert-sql': 'orders exist: SELECT true',
  })
  // A command of one destination takes the first; a restore does not write to what is backed up.
  const { raw, told } = await read(text, 'restore')
  expect(raw).toEqual({ destination: '/one' })
  expect(spelled(told.join('\n'), atTerminal('lifeboat'))).toContain(`restore takes one destination, the first of the 2 in line 8 of ${path.join(folder, 'lifeboat.yml')}: /one; for the other: \`lifeboat restore --destination /two\``)
  // Lines of the variable are the same, also without a file.
  const LIFEBOAT_DESTINATION = 's3://KEY:hunter2hunter2@s3.example.com/one\n/two\n/three'
  const lines = await readAt('none', 'list', {}, { LIFEBOAT_DESTINATION })
  expect([lines.raw, lines.masked]).toEqual([{ destination: 's3://KEY:hunter2hunter2@s3.example.com/one' }, expect.arrayContaining(['hunter2hunter2'])])
  expect(lines.told.map((line) => spelled(line, atTerminal('lifeboat')))).toEqual(['list takes one destination, the first of the 3 in LIFEBOAT_DESTINATION: s3://KEY:***@s3.example.com/one; for another: `lifeboat list --destination /two`'])
  for (const command of ['backup', 'copy'] as const) expect((await readAt('none', command, {}, { LIFEBOAT_DESTINATION })).raw).toEqual({})
  for (const command of ['backup', 'check', 'doctor'] as const) {
    const all = await read(text, command)
    expect([all.raw['destination'], all.told.join()]).toEqual(['/one\n/two', expect.not.stringContaining('takes one')])
  }
  expect((await read(`${text}\ncommands:\n  restore:\n    database-url: postgres://u@h/target`, 'restore')).raw).toEqual({ destination: '/one', 'database-url': 'postgres://u@h/target' })
})

test.each([
  ['pre-command: echo', 'names code to run'], ['post-command: echo', 'names code to run'], ['pg-dump-args: --file=/x', 'names code to run'], ['assert-sql: "x: SELECT true"', 'names code to run'],
  ['assert-command: "true"', 'names code to run'], ['docker-image: x', 'names code to run'], ['scratch-image: x', 'names code to run'], ['report: /etc/x', 'names a file to write'],
])('a file that was found, and not named, may not have %s', async (text, expected) => {
  writeFileSync(file(), text)
  const rows = commands.map((name) => ({ name, rows: inputsOf(name) }))
  const settings = (await readSettings(file(), false, rows, {}))!
  const problemsIf = (named: boolean): string[] => filled('backup', inputsOf('backup'), {}, { ...settings, named }, {}).problems.map(({ message }) => message)
  expect([problemsIf(true), problemsIf(false)]).toEqual([[], [expect.stringContaining(`${expected}, which only a file that is given as config may do`)]])
})

/** The problems of `backup` with a file that was found, and with one that was named. */
async function problemsOfFound(text: string, variables: Record<string, string>): Promise<{ found: string[]; named: string[] }> {
  writeFileSync(file(), text)
  const settings = (await readSettings(file(), false, commands.map((name) => ({ name, rows: inputsOf(name) })), variables))!
  const problemsIf = (named: boolean): string[] => filled('backup', inputsOf('backup'), {}, { ...settings, named }, variables).problems.map(({ message }) => message)
  return { found: problemsIf(false), named: problemsIf(true) }
}

test.each([
  'notify: "webhook:https://example.com/${V} on always"', 'notify: "webhook:https://${V}.example.com/"', 'destination: webdavs://a:${V}@example.com/x', 'destination: s3:${V}?endpoint=https://example.com',
  'set: ${V}', 'description: by ${V}', 'webdav-token: ${V}', 'database-url: postgres://a:${V}@example.com/d', 'database-url: |\n  a=${V}\n  b=postgres://u:${V}@example.com/d',
])('a file that was found, and not named, sends no variable to its author: %s', async (text) => {
  const { found, named } = await problemsOfFound(text, { V: 'value' })
  expect(found[0]).toContain('${V} is part of a value here, which only a file that is given as config may have')
  expect(named.join()).not.toContain('given as config')
})

test.each([
  ['encryption-key: ${V}', 'correct horse battery'], ['database-url: {app: "${V}"}', 'postgres://u@h/d'], ['database-url: |\n  app=${V}\n', 'postgres://u@h/d'], ['destination: ${V}', '/backups'],
  ['notify: ["slack:${V} on failure, recovered"]', 'https://hooks.slack.com/services/T0/B0/abcdef'], ['webdav-token: ${LIFEBOAT_WEBDAV_TOKEN}', 'x'],
])('but it may have whole addresses, the key, and what an input takes anyway: %s', async (text, V) => {
  expect((await problemsOfFound(text, { V })).found.filter((problem) => problem.includes('given as config'))).toEqual([])
})

describe('variables', () => {
  test('are expanded once, anywhere in a value; $${ is a plain ${', async () => {
    const { raw } = await read('description: "${A} and $${B} and $C and ${_D1}"', 'backup', {}, { A: '${B}', B: 'no', C: 'no', _D1: 'yes' })
    expect(raw).toEqual({ description: '${B} and ${B} and $C and yes' })
  })

  test('a missing one is an error of the commands that need it, with its line', async () => {
    const text = 'encryption-key: ${KEY}\ndatabase-url:\n  app: ${APP}\n  crm: ${CRM}\n'
    expect(await faults(text, 'backup', { APP: 'postgres://h/a', CRM: '' })).toEqual([
      'F, line 1, column 17: encryption-key: the environment variable KEY is not set', 'F, line 4, column 8: database-url: the environment variable CRM is not set',
    ])
    expect((await read(text)).problem!.hint).toContain('env:')
    expect(await faults(text, 'list', { KEY: 'k' })).toEqual([])
  })

  test('in a block, the line is that of the variable', async () => {
    expect(await faults('database-url: |\n  app=postgres://u@h/d\n  crm=${CRM}\n')).toEqual(['F, line 3, column 1: database-url: the environment variable CRM is not set'])
  })

  test('an invalid value of one is told with its line, and not shown', async () => {
    const found = await faults('database-url:\n  a: postgres://u@h/d\n  b: ${URL}\n', 'backup', { URL: 'hunter22' })
    expect(found).toEqual([expect.stringMatching(/^F, line 3, column 6: database URL: /)])
    expect(found.join()).not.toContain('hunter22')
  })

  test.each([
    ['set: ${V}', 'set'], ['retention: {daily: "${V}"}', 'retention'], ['timeout: ${V}', 'timeout'], ['tags: ["${V}"]', 'tags'], ['retention: ${V}', 'retention'],
  ])('a secret in the wrong line is not shown, whatever the variable is named: %s', async (text, name) => {
    for (const command of ['backup', 'config check'] as const) {
      const { problem, configuration: { file } } = await read(text, command, {}, { V: 'hunter2 SECRETVALUE/xx:yy' })
      const told = [problem?.message, problem?.hint, ...(file?.problems ?? []).map(({ message }) => message)].join()
      expect(told).toContain(`${name}: the value is invalid, and not shown, because a variable gives it`)
      expect(told).not.toMatch(/hunter2|SECRETVALUE/)
    }
  })

  test('one of several lines adds no items to a list, and is a whole list elsewhere', async () => {
    const variables = { URLS: 'a=postgres://u@h/a\nb=postgres://u@h/b' }
    expect(await faults('database-url:\n  - ${URLS}\n', 'backup', variables)).toEqual(['F, line 2, column 5: database-url: the environment variable URLS has several lines, and one is expected'])
    expect((await read('database-url: ${URLS}\n', 'backup', {}, variables)).raw).toEqual({ 'database-url': variables.URLS })
  })

  test('nothing is expanded in code', async () => {
    expect((await read('pre-command: echo ${NAME} ${{x}}', 'backup', {}, { NAME: '$(rm -rf x)' })).raw).toEqual({ 'pre-command': 'echo ${NAME} ${{x}}' })
  })

  test('their secrets are masked like those of inputs', async () => {
    const { masked } = await read('encryption-key: ${K}\ndatabase-url: postgres://u:${DB_PASSWORD}@h/d\nnotify: slack:${HOOK}\nset: ${SET}\n', 'backup', {}, {
      K: 'correct horse battery', DB_PASSWORD: 'hunter%2Ftwo', HOOK: 'https://hooks.slack.com/services/T0/B0/abcdef', SET: 'plain-name',
    })
    expect(masked).toEqual(expect.arrayContaining(['correct horse battery', 'hunter%2Ftwo', 'hunter/two', expect.stringContaining('/services/T0/B0/abcdef')]))
    expect(masked).not.toContain('plain-name')
  })
})

describe('a secret in the file', () => {
  test.each([
    ['encryption-key: correct horse battery', 'encryption-key is a secret, and is in the file as plain text'],
    [`description: ${KEY}`, 'description has a secret in it as plain text'],
    ['database-url: postgres://app:hunter22@db/app', 'database-url has a secret in it as plain text'],
    ['database-url:\n  app: postgres://app:hunter22@${HOST}/app', 'database-url has a secret in it as plain text'],
    ['database-url: postgres://app@db/app?password=hunter22', 'database-url has a secret in it as plain text'],
    ['destination: webdavs://app:hunter22@nas/backups', 'destination has a secret in it as plain text'],
    ['webdav-token: hunter22', 'webdav-token is a secret, and is in the file as plain text'],
    ['commands:\n  restore:\n    database-url: postgres://app:hunter22@db/app', 'database-url has a secret in it as plain text'],
  ])('%j is refused, and not shown', async (text, expected) => {
    const found = await faults(text, 'list')
    expect(found).toEqual([expect.stringMatching(/^F, line \d, column \d+: /)])
    expect(found[0]).toContain(`${expected}. Write \${NAME}, and set that environment variable`)
    expect(found.join()).not.toMatch(/hunter22|horse|QQQQ/)
  })

  test.each(['database-url: postgres://app@db/app', 'database-url: postgres://app:${PW}@db/app', 'database-url: ${URL}', 'destination: webdavs://alice@nas/backups', 'destination: s3://b/p?region=eu-central-1', 'ssh-tunnel: deploy@bastion', 'encryption-key: "${A}${B}"', 'volumes: {secret: /srv/secret-files}'])('%s is none', async (text) => {
    expect([await faults(text, 'stats'), (await read(text, 'stats')).warned]).toEqual([expect.not.arrayContaining([expect.stringContaining('plain text')]), []])
  })

  test('something that looks like one is a warning', async () => {
    const { warned, problem } = await read('notify: slack:https://hooks.slack.com/services/T0/B0/abcdefghijkl\n', 'list')
    expect(problem).toBeUndefined()
    expect(warned).toEqual([expect.stringContaining('line 1: notify may have a secret in it as plain text')])
  })
})

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { inWorkflow } from '../src/actions/spelling.ts'
import { atTerminal } from '../src/cli/spelling.ts'
import { commands, inputsOf } from '../src/commands/all.ts'
import { spelled } from '../src/report/marks.ts'

const root = path.join(import.meta.dirname, '../src')
const inputs = new Map<string, readonly string[]>(commands.map((command) => [command, inputsOf(command).map(([name]) => name)]))
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).toSorted()
/** Without comments, with `VALUE` for every expression in a text. */
const texts = new Map(files.map((file) => [file, codeOf(readFileSync(path.join(root, file), 'utf8'))]))
const marks = [...texts].filter(([file]) => file !== 'report/marks.ts').flatMap(([file, text]) => [...text.matchAll(/‹[^›]*›/g)].map(([mark]) => ({ file, mark })))

/** Help, documentation and recipes, which are of one entry alone. */
const OF_ONE_ENTRY = /^(cli|inputs|repository\/recovery)\/|\/inputs\.ts$|^commands\/[^/]+\/command\.ts$|^report\/(recipe|marks)\.ts$/

function codeOf(program: string): string {
  return program
    .replaceAll(/^\s*(\/\*\*?|\*|\/\/).*$/gm, '')
    .replaceAll(/\$\{[^{}]*(\{[^{}]*\}[^{}]*)*\}/g, 'VALUE')
}

/** The commands that a file can be part of: those of its folder, or all. */
function commandsOf(file: string): readonly string[] {
  const [, folder] = /^commands\/([^/]+)\//.exec(file) ?? []
  const source = folder === undefined ? '' : readFileSync(path.join(root, 'commands', folder, 'command.ts'), 'utf8')
  const own = [...source.matchAll(/^ {2}name: '([a-z ]+)'/gm)].map(([, name]) => name!)
  // A backup prunes as well.
  return own.length === 0 ? commands : folder === 'prune' ? [...own, 'backup'] : own
}

test('there are marks in many files', () => {
  expect(new Set(marks.map(({ file }) => file)).size).toBeGreaterThan(40)
})

test.each(marks)('$file: $mark is known to both entries', ({ file, mark }) => {
  for (const spelling of [atTerminal('lifeboat'), inWorkflow]) expect(spelled(mark, spelling)).not.toMatch(/[‹›]/)
  const [first = '', ...rest] = mark.slice(1, -1).split('; ')
  const names = (first.startsWith('lifeboat ') ? rest : [first]).map((text) => text.split(': ')[0]!)
  const command = /^lifeboat ([a-z]+(?: [a-z]+)?)/.exec(first)?.[1]
  // A hint of one command may send the reader to another.
  const others = marks.flatMap((other) => (other.file === file ? (/^‹lifeboat ([a-z]+(?: [a-z]+)?)/.exec(other.mark)?.slice(1) ?? []) : []))
  const owners = command === undefined ? [...commandsOf(file), ...others] : [command]
  for (const name of names) if (name !== 'json') expect(owners.filter((owner) => inputs.get(owner)?.includes(name))).not.toEqual([])
})

test('no article is before a mark: a workflow spells it with one', () => {
  expect([...texts].flatMap(([file, text]) => [...text.matchAll(/\b(?:(?:the|an?)(?: \w+)?|another|own) ‹(?:lifeboat |[a-z-]+›)/gi)].map(([words]) => `${file}: ${words}`))).toEqual([])
})

test.each(marks.filter(({ mark }) => /^‹[a-z-]+: [a-z]+›$/.test(mark)))('$file: $mark has a value that the input takes', ({ mark }) => {
  const [name, value] = mark.slice(1, -1).split(': ')
  const rows = commands.flatMap((command) => inputsOf(command)).filter(([own]) => own === name)
  expect(rows.some(([, { schema }]) => schema.safeParse(value).success)).toBe(true)
})

test.each([...texts].filter(([file]) => !OF_ONE_ENTRY.test(file)))('%s names inputs and commands by marks alone', (_, text) => {
  const names = [...new Set([...inputs.values()].flat())].filter((name) => name.includes('-') || name === 'force' || name === 'snapshot').join('|')
  const found = [...text.matchAll(new RegExp(`\`lifeboat [a-z]|\\bthe input (?:${names})\\b|\\b(?:with|set|give|raise) (?:--)?(?:${names})\\b(?![:-])`, 'g'))]
  expect(found.map(([words]) => words)).toEqual([])
})

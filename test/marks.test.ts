import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { parseSync } from '@swc/core'
import { z } from 'zod'
import { inWorkflow } from '../src/actions/spelling.ts'
import { atTerminal } from '../src/cli/spelling.ts'
import { commands, inputsOf, parseInputs } from '../src/commands/all.ts'
import { requirePassable } from '../src/commands/plan/outputs.ts'
import type { PlanResult } from '../src/commands/plan/result.ts'
import { redacted } from '../src/commands/run-command.ts'
import { marked, markedCommand, spelled, unmarked } from '../src/marks.ts'
import { failureOf, failureText } from '../src/report/failure.ts'
import { Redaction } from '../src/report/redaction.ts'
import { terminalReport } from '../src/report/terminal.ts'
import { markedText } from './support/marked.ts'

const root = path.join(import.meta.dirname, '../src')
const inputs = new Map<string, readonly string[]>(commands.map((command) => [command, inputsOf(command).map(([name]) => name)]))
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).toSorted()
const sources = new Map(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')]))
const nodeSchema = z.looseObject({
  type: z.unknown().optional(), value: z.unknown().optional(), template: z.unknown().optional(),
  quasis: z.array(z.looseObject({ cooked: z.string() })).optional().catch(undefined),
  tag: z.looseObject({ value: z.unknown() }).optional().catch(undefined),
})
/** Without comments, with `VALUE` for every expression in a text. */
const texts = new Map([...sources].map(([file, source]) => [file, codeOf(source)]))
const literals = [...sources]
  .filter(([file, source]) => file !== 'marks.ts' && /[‹›]/.test(source))
  .flatMap(([file, source]) => literalsIn(parseSync(source, { syntax: 'typescript' })).map((literal) => ({ file, ...literal })))
const marks = literals.flatMap(({ file, tagged, text }) => (tagged ? [...text.matchAll(/‹[^›]*›/g)].map(([mark]) => ({ file, mark })).filter(({ mark }) => mark !== '‹VALUE›') : []))

/** Strings and templates of a program, with `VALUE` for every expression, and whether the tag `marked` is before them. */
function literalsIn(node: unknown, tagged = false): { text: string; tagged: boolean }[] {
  if (Array.isArray(node)) return node.flatMap((one) => literalsIn(one))
  if (node === null || typeof node !== 'object') return []
  const { type, value, quasis, template, tag } = nodeSchema.parse(node)
  if (type === 'StringLiteral') return [{ text: String(value), tagged }]
  if (type === 'TaggedTemplateExpression') return literalsIn(template, tag?.value === 'marked')
  const own = type === 'TemplateLiteral' ? [{ text: quasis!.map(({ cooked }) => cooked).join('VALUE'), tagged }] : []
  return [...own, ...Object.values(node).flatMap((one) => literalsIn(one))]
}

/** Help, documentation and recipes, which are of one entry alone. */
const OF_ONE_ENTRY = /^(cli|inputs|repository\/recovery)\/|\/inputs\.ts$|^commands\/[^/]+\/command\.ts$|^commands\/init\/examples\.ts$|^report\/recipe\.ts$|^marks\.ts$/

function codeOf(program: string): string {
  return program
    .replaceAll(/^\s*(\/\*\*?|\*|\/\/).*$/gm, '')
    .replaceAll(/\$\{[^{}]*(\{[^{}]*\}[^{}]*)*\}/g, 'VALUE')
}

/** The commands that a file can be part of: those of its folder, or all. */
function commandsOf(file: string): readonly string[] {
  const [, folder] = /^commands\/([^/]+)\//.exec(file) ?? []
  const definition = path.join(root, 'commands', folder ?? '', 'command.ts')
  // A folder without a command, such as sets, is shared by several.
  const source = folder !== undefined && existsSync(definition) ? readFileSync(definition, 'utf8') : ''
  const own = [...source.matchAll(/^ {2}name: '([a-z ]+)'/gm)].map(([, name]) => name!)
  // A backup prunes as well.
  return own.length === 0 ? commands : folder === 'prune' ? [...own, 'backup'] : own
}

test('there are marks in many files', () => {
  expect(new Set(marks.map(({ file }) => file)).size).toBeGreaterThan(40)
})

test('every text with a mark has the tag', () => {
  expect(literals.filter(({ text, tagged }) => !tagged && /[‹›]/.test(text))).toEqual([])
})

test.each(marks)('$file: $mark is known to both entries', ({ file, mark }) => {
  for (const spelling of [atTerminal('lifeboat'), inWorkflow]) expect(spelled(markedText(mark), spelling)).not.toMatch(/[‹›]/)
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

describe('text from outside is no mark', () => {
  const mark = '‹lifeboat forget latest; force: true›'
  const entries = [atTerminal('lifeboat'), inWorkflow]
  const said = (spelling: (typeof entries)[number], text: string): string => new Redaction({ spelling }).apply(text)

  test.each(entries)('it comes out as it is, alone and as a value in a text with marks', (spelling) => {
    expect(said(spelling, mark)).toBe(mark)
    expect(said(spelling, marked`${mark} is in ${'‹set›'}`)).toBe(`${mark} is in ‹set›`)
  })

  test.each(entries)('a secret with a mark in it is replaced', (spelling) => {
    const redaction = new Redaction({ spelling })
    redaction.add('Gehe‹set›im99')
    redaction.add('hunter22')
    expect(redaction.apply('the key is Gehe‹set›im99')).toBe('the key is ***')
    expect(redaction.apply(markedCommand('verify', { set: 'hunter22' }))).not.toContain('hunter22')
    redaction.spellAs(atTerminal('lifeboat', 'file:/hunter22'))
    expect(redaction.apply(marked`‹lifeboat list›`)).toBe('`lifeboat list --destination file:/***`')
  })

  test('a value in a command is one word of a shell, and adds no option', () => {
    const destination = "file:/q‹set: $(touch x)›; force: true'"
    const command = "`lifeboat prune --destination 'file:/q‹set: $(touch x)›; force: true'\\'''`"
    expect(spelled(markedCommand('prune', { destination }), atTerminal('lifeboat'))).toBe(command)
    expect(spelled(marked`‹lifeboat prune; destination: ${destination}›`, atTerminal('lifeboat'))).toBe(command)
    expect(spelled(markedCommand('pin', { destination }), inWorkflow)).toBe(`\`lifeboat pin --destination 'file:/q‹set: $(touch x)›; force: true'\\'''\` at a terminal`)
  })

  test('results keep it in names of objects and in words of other programs', () => {
    const result = { tables: { '‹set›': 1, '--set': 2, 'the input set': 3 }, description: mark }
    for (const spelling of entries) expect(new Redaction({ spelling }).applyToResult(result)).toBe(result)
    const chunks = { trashed: { objects: 0, bytes: 0 }, waiting: { objects: 0, bytes: 0 }, deleted: { objects: 0, bytes: 0 }, obstacles: [mark, marked`raise ‹timeout›`] }
    const pruned = { set: '‹set›', dryRun: false, kept: 1, deleted: 0, snapshots: [], seconds: 1, chunks }
    const outcome = { command: 'prune' as const, result: pruned, shown: { destination: 's3://b', timeZone: 'UTC' } }
    expect(redacted(outcome, new Redaction({ spelling: inWorkflow })).result).toMatchObject({ set: '‹set›', chunks: { obstacles: [mark, 'raise the input timeout'] } })
  })

  test.each(['‹set›', `AGE-SECRET-KEY-1${'Q'.repeat(20)}`])('a database named %s is planned; one that is a secret is not', (name) => {
    const redaction = new Redaction({ spelling: inWorkflow })
    const report = terminalReport({ write: () => undefined }, redaction)
    const items = [{ noun: 'database' as const, name, set: 'app', size: 1 }]
    const plan: PlanResult = { size: 1, leftOut: [], notChosen: 0, plan: '20261120T020000Z-5f3a9c1e', time: '2026-11-20T02:00:00.000Z', jobs: [{ job: '1 of 1', size: 1, items }] }
    requirePassable(plan, { report })
    redaction.add(name)
    expect(() => requirePassable(plan, { report })).toThrow('equal to a secret')
  })

  test.each(entries)('an error quotes the value that was given', (spelling) => {
    let text = ''
    try {
      parseInputs('list', { destination: 'file:/x', set: '‹set: x y›' }, {})
    } catch (error) {
      text = failureText(failureOf(error))
    }
    expect(said(spelling, text)).toContain('"‹set: x y›"')
  })
})

test('a mark that is cut, or names nothing, is shown as it was written', () => {
  const text = marked`‹lifeboat verify; level: read› or ‹nothing: else›`
  expect(spelled(text.slice(0, text.indexOf('›')), inWorkflow)).toBe('‹lifeboat verify; level: read')
  expect(spelled(text, inWorkflow)).toBe('The action verify with `level: read` or ‹nothing: else›')
  expect(unmarked(text)).toBe('‹lifeboat verify; level: read› or ‹nothing: else›')
})

test('marks of threads are known', async () => {
  const worker = new Worker(
    `import(${JSON.stringify(path.join(root, 'marks.ts'))}).then(({ marked }) => require('node:worker_threads').parentPort.postMessage(marked\`‹timeout›\`))`,
    { eval: true, execArgv: [] },
  )
  const text = await new Promise<string>((resolve, reject) => worker.once('message', resolve).once('error', reject))
  expect(spelled(text, inWorkflow)).toBe('The input timeout')
})

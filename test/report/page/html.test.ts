import { html, link, name, type Piece, styleElement } from '../../../src/report/page/html.ts'

const EVIL = `<script>alert("1")</script>&'\u202E\u0007`

test('values are escaped in text and in attributes, whatever they are', () => {
  expect(html`<p title="${EVIL}">${EVIL}</p>`.toString()).toBe(
    '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\uFFFD\uFFFD">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\uFFFD\uFFFD</p>',
  )
  expect(html`${[html`<b>${1}</b>`, undefined, false, '<i>']}`.toString()).toBe('<b>1</b>&lt;i&gt;')
})

test('an object that looks like markup is refused by the compiler, and shown as text', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as text from JSON could be
  const forged = JSON.parse('[{"text":"<img>"}]') as Piece
  expect(() => html`<p>${forged}</p>`.toString()).toThrow()
})

test.each<[string, () => unknown]>([
  ['an attribute without quotes', () => html`<p title=${EVIL}>`],
  ['an attribute in single quotes', () => html`<p title='${EVIL}'></p>`],
  ['the name of an element', () => html`<${EVIL}>`],
  ['a script', () => html`<script>${EVIL}</script>`],
  ['a style', () => html`<style>${EVIL}</style>`],
  ['a comment', () => html`<!-- ${EVIL} -->`],
  ['an element in an attribute', () => html`<p title="${html`<b></b>`}"></p>`],
])('a value in %s is refused', (_, made) => {
  expect(made).toThrow(/cannot be put into this template|can have only text/)
})

test('a link leads to the web, and nowhere else', () => {
  expect(link('run', 'https://github.com/a/b/actions/runs/1').toString()).toBe('<a href="https://github.com/a/b/actions/runs/1" rel="noreferrer">run</a>')
  for (const url of ['javascript:alert(1)', 'http://a.example', 'https://a.example/"onclick="', 'data:text/html,x', null, undefined]) expect(link('run', url).toString()).toBe('run')
})

test('a name keeps its direction of writing to itself, on one line', () => {
  expect(name('a\nb<').toString()).toBe('<bdi>a b&lt;</bdi>')
})

test('a style sheet cannot end its element', () => {
  expect(() => styleElement('</style><script>')).toThrow()
})

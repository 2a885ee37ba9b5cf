/** A package that is in the bundle: of its package.json, and the text of its file LICENSE, if it has one. */
export interface BundledPackage {
  name: string
  license: string
  author?: string | { name: string } | undefined
  text?: string | undefined
}

const MIT = [
  'Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the',
  '"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,',
  'distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to',
  'the following conditions:',
  '',
  'The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.',
  '',
  'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF',
  'MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR',
  'ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH',
  'THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.',
].join('\n')

const ISC = [
  'Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the',
  'above copyright notice and this permission notice appear in all copies.',
  '',
  'THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF',
  'MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY',
  'DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,',
  'ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.',
].join('\n')

const STANDARD: Readonly<Record<string, string>> = { MIT, 'MIT/X11': MIT, ISC }

/** Licences of packages whose package.json names none, as their repositories have them (github.com/substack/node-buffers, LICENSE). */
const NAMED: Readonly<Record<string, string>> = { buffers: 'MIT/X11' }

/** The text of licenses.txt. A package without a text gets the standard one of its licence, marked as such; throws if there is none. Pure. */
export function licensesText(given: readonly BundledPackage[]): string {
  const packages = given.map((one) => ({ ...one, license: one.license || (NAMED[one.name] ?? '') }))
  const texts = packages.map((one) => `${one.name}\n${one.license}\n${(one.text ?? standardText(one, packages)).trim()}\n`)
  return [...new Set(texts)].toSorted().join('\n')
}

function standardText({ name, license, author }: BundledPackage, packages: readonly BundledPackage[]): string {
  const holder = (typeof author === 'string' ? author.replace(/\s*[<(].*$/, '') : author?.name) ?? `the authors of ${name}`
  const marked = `(The package has no text of its licence. This is the standard text of ${license}, with the author of its package.json.)`
  const standard = STANDARD[license]
  if (standard !== undefined) return `${marked}\n\nCopyright (c) ${holder}\n\n${standard}`
  // A long text, which names nobody: it is in this file already.
  const [other] = packages.filter((one) => one.license === license && one.text?.includes('TERMS AND CONDITIONS'))
    .map((one) => one.name).toSorted()
  if (license !== 'Apache-2.0' || other === undefined) throw new Error(`${name} has no text of its licence, ${license || 'which it does not name'}`)
  return `Copyright ${holder}\n\n(The package has no text of its licence. That of Apache-2.0 is in this file, at ${other}.)`
}

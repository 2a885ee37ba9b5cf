import { licensesText } from '../scripts/licenses.ts'

const apache = { name: 'b-apache', license: 'Apache-2.0', text: 'TERMS AND CONDITIONS of Apache\n' }

test('each package has the text of its licence: its own, or the standard one with the author of its package.json, marked as such', () => {
  const text = licensesText([
    { name: 'own', license: 'MIT', text: 'Copyright somebody\n\nMy text.\n' },
    { name: 'mit', license: 'MIT', author: 'Jens T. <jens@example.com> (http://example.com)' },
    { name: 'isc', license: 'ISC', author: { name: 'A Company Inc.' } },
    { name: 'nameless', license: 'MIT' },
    { name: 'a-client', license: 'Apache-2.0', author: { name: 'The team' } },
    apache, apache,
  ])
  expect(text).toContain('own\nMIT\nCopyright somebody\n\nMy text.\n')
  expect(text).toContain('mit\nMIT\n(The package has no text of its licence. This is the standard text of MIT, with the author of its package.json.)\n\nCopyright (c) Jens T.\n\nPermission is hereby granted')
  expect(text).toContain('Copyright (c) A Company Inc.\n\nPermission to use, copy, modify')
  expect(text).toContain('Copyright (c) the authors of nameless\n')
  expect(text).toContain('a-client\nApache-2.0\nCopyright The team\n\n(The package has no text of its licence. That of Apache-2.0 is in this file, at b-apache.)\n')
  expect(text.split('b-apache\nApache-2.0')).toHaveLength(2)
})

test.each([['GPL-3.0'], [''], ['Apache-2.0']])('a package without a text, of the licence "%s", is refused if there is none to take', (license) => {
  expect(() => licensesText([{ name: 'odd', license }])).toThrow('odd has no text of its licence')
})

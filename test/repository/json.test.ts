import * as fc from 'fast-check'
import { parsedJson } from '../../src/repository/json.ts'

test('every text that JSON.stringify writes is read back', () => {
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => expect(parsedJson(Buffer.from(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)))))
})

test.each<[string, string | Buffer]>([
  ['a member that occurs twice', '{"pinned":true,"pinned":false}'],
  ['a member that occurs twice, in a list', '[{"a":1,"b":{"c":1,"c":1}}]'],
  ['a member that occurs twice, written in two ways', '{"a":1,"\\u0061":1}'],
  ['white space', '{"a": 1}'],
  ['a line feed at the end', '{"a":1}\n'],
  ['a number in another form', '[1.0]'],
  ['a number beyond exact ones', '[123456789012345678901]'],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['nothing', ''],
  ['two values', '{}{}'],
  ['deep nesting', '['.repeat(1_000_000)],
  ['deep nesting that ends', '['.repeat(100_000) + ']'.repeat(100_000)],
])('text with %s is refused', (_, text) => {
  expect(parsedJson(Buffer.from(text))).toBeUndefined()
})

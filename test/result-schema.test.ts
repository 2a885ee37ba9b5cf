import { readFileSync } from 'node:fs'
import path from 'node:path'
import { resultSchema } from '../scripts/result-schema.ts'
import { RESULT_SCHEMA } from '../scripts/schema-names.ts'

test('docs/schema/results.schema.json is what the generator makes', () => {
  expect(JSON.parse(readFileSync(path.join(import.meta.dirname, '..', RESULT_SCHEMA), 'utf8'))).toEqual(resultSchema())
})

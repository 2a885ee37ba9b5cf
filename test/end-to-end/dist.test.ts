import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { builtProgram } from './built.ts'

const dist = path.join(import.meta.dirname, '../../dist')

test('dist is what the sources build; if not: npm run build', () => {
  const built = builtProgram()
  expect(readdirSync(dist).toSorted()).toEqual(readdirSync(built).toSorted())
  for (const file of readdirSync(built)) expect([file, readFileSync(path.join(dist, file)).equals(readFileSync(path.join(built, file)))]).toEqual([file, true])
})

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { storeKinds } from '../../src/stores/all.ts'
import { destinationExpected, destinationPatterns } from '../../src/stores/destination.ts'

const source = path.join(import.meta.dirname, '../../src')
const names = storeKinds.flatMap((kind) => kind.names)

/** Where a volume may be in a bucket, `s3` names a kind of source. */
const OF_SOURCES = /^(sources\/|inputs\/volumes\.ts$)/

test('no two kinds have a name in common', () => {
  expect(names).toHaveLength(new Set(names).size)
})

test('each kind has a folder of its own in src/stores, and each folder there is one of a kind', () => {
  const folders = readdirSync(path.join(source, 'stores'), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  expect(folders.toSorted()).toEqual(storeKinds.map((kind) => kind.names[0]!).toSorted())
})

test('outside the folder of a kind, nothing is decided by its name', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !OF_SOURCES.test(file))
  const found = files.flatMap((file) => {
    const folder = /^stores\/([^/]+)\//.exec(file)?.[1]
    const foreign = storeKinds.filter((kind) => !kind.names.includes(folder ?? '')).flatMap((kind) => kind.names)
    const decision = new RegExp(`(\\bkind|\\bdestination|\\.name) [!=]== '(${foreign.join('|')})'|\\bcase '(${foreign.join('|')})'`)
    const lines = readFileSync(path.join(source, file), 'utf8').split('\n')
    return lines.filter((line) => decision.test(line)).map((line) => `${file}: ${line.trim()}`)
  })
  expect(found).toEqual([])
})

test('help names every kind', () => {
  for (const name of names.filter((name) => name !== 'webdav')) expect(destinationPatterns()).toContain(name)
  for (const name of names) expect(destinationExpected()).toContain(name)
})

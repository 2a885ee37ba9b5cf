import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { actionFile } from '../scripts/generate-actions.ts'
import { filesOf, giveName, named } from '../scripts/release-name.ts'
import { actions } from '../src/commands/all.ts'

const root = path.join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

/** GitHub's documentation, "Metadata syntax reference": every key of a JavaScript action, and no other. */
const id = z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]*$/)
const metadata = z.strictObject({
  name: z.string().min(1).max(80),
  author: z.string().min(1),
  // The Marketplace shows no more.
  description: z.string().min(1).max(125),
  branding: z.strictObject({
    // Of the Feather icons 4.28.0.
    icon: z.literal('life-buoy'),
    color: z.enum(['white', 'black', 'yellow', 'blue', 'green', 'orange', 'red', 'purple', 'gray-dark']),
  }),
  inputs: z.record(id, z.strictObject({ description: z.string().min(1), required: z.boolean(), default: z.string().optional(), deprecationMessage: z.string().optional() })),
  outputs: z.record(id, z.strictObject({ description: z.string().min(1) })),
  runs: z.strictObject({
    using: z.enum(['node20', 'node24']),
    main: z.string(), pre: z.string().optional(), 'pre-if': z.string().optional(), post: z.string().optional(), 'post-if': z.string().optional(),
  }),
})

test.each(actions)('action.yml of %s is valid, with an author and a description that the Marketplace shows whole', (command) => {
  expect(metadata.safeParse(parse(read(actionFile(command)))).error).toBeUndefined()
})

test('no two actions have the same name, and no two inputs or outputs of one differ only in case', () => {
  const files = actions.map((command) => metadata.parse(parse(read(actionFile(command)))))
  expect(new Set(files.map(({ name }) => name.toLowerCase())).size).toBe(files.length)
  for (const { inputs, outputs } of files) {
    for (const names of [Object.keys(inputs), Object.keys(outputs)]) expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length)
  }
})

test.each([['a description of 126 characters', { description: 'x'.repeat(126) }], ['an unknown key', { icon: 'x' }], ['no author', { author: undefined }], ['a colour that GitHub does not have', { branding: { icon: 'life-buoy', color: 'pink' } }]])('the check finds %s', (_, change) => {
  expect(metadata.safeParse({ ...parse(read('action.yml')), ...change }).success).toBe(false)
})

/** Spelled so that it is not replaced here. */
const OWNER = ['OWN', 'ER'].join('')

test('the name of the repository replaces the placeholder in every file, and the sentence that explains it goes', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-name-'))
  try {
    for (const file of filesOf(root)) cpSync(path.join(root, file), path.join(folder, file), { recursive: true })
    const changed = giveName(folder, 'acme/db-boat')
    expect(changed).toEqual(expect.arrayContaining(['README.md', 'workflows-examples/restore.yml', 'src/actions/action.ts', 'test/support/workflow.ts', '.github/ISSUE_TEMPLATE/config.yml']))
    const after = new Map(filesOf(folder).map((file) => [file, readFileSync(path.join(folder, file), 'utf8')]))
    expect([...after].filter(([, text]) => new RegExp(`${OWNER}\\\\?/lifeboat`).test(text)).map(([file]) => file)).toEqual([])
    expect(after.get('README.md')).toContain('git clone https://github.com/acme/db-boat && cd db-boat')
    expect(after.get('README.md')).not.toContain(OWNER)
    expect(giveName(folder, 'acme/db-boat')).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('bytes that are not text stay as they are', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-name-'))
  try {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`${OWNER}/lifeboat`)])
    writeFileSync(path.join(folder, 'x'), bytes)
    expect(giveName(folder, 'acme/db-boat')).toEqual([])
    expect(readFileSync(path.join(folder, 'x'))).toEqual(bytes)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.each(['acme', 'acme/', '-acme/x', 'a/b/c', 'acme/x y', '$1/x'])('%j is no name of a repository', (name) => {
  expect(() => named('', name)).toThrow('is not of the form owner/name')
})

test('the README says once what the placeholder stands for', () => {
  expect(read('README.md').split(`\`${OWNER}\``)).toHaveLength(2)
})

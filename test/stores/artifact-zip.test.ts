import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { BadZip, findDirectory, type ReadAt, readDirectory, readEntry } from '../../src/stores/artifact/zip.ts'
import { type Files, zipOf } from '../support/github/zip.ts'

const readingOf = (zip: Buffer): ReadAt => async (start, end) => {
  if (start < 0 || end > zip.length || start > end) throw new BadZip('out of range')
  return zip.subarray(start, end)
}

async function contentOf(zip: Buffer): Promise<Files> {
  const files: [string, Buffer][] = []
  const readAt = readingOf(zip)
  for (const entry of await readDirectory(readAt, await findDirectory(readAt, zip.length))) files.push([entry.name, await readEntry(readAt, entry)])
  // An assignment would take a file named __proto__ for something else.
  return Object.fromEntries(files)
}

const files = fc.dictionary(fc.stringMatching(/^[a-z0-9_-]{1,30}(\/[a-z0-9_-]{1,30})?$/), fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)), { maxKeys: 20, noNullPrototype: true })

test.each([
  ['stored', { store: true }],
  ['deflated', { zlib: { level: 6 } }],
  ['with 64-bit fields', { forceZip64: true, store: true }],
  ['with a comment that looks like an end', { store: true, comment: 'PK\x05\x06 and more that is none' }],
])('archives of the client’s own library are read back: %s', async (_, options) => {
  await fc.assert(fc.asyncProperty(files, async (files) => expect(await contentOf(await zipOf(files, options))).toEqual(files)), { numRuns: 40, examples: [[Object.fromEntries([['__proto__', Buffer.from('x')]])]] })
})

test('an archive of another program is read too, its longer local headers included', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'zip-'))
  try {
    const file = path.join(folder, 'a.zip')
    const program = 'import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], "w")\nwith z.open("a/b", "w", force_zip64=True) as f: f.write(b"x" * 5000)\nz.close()'
    execFileSync('python3', ['-c', program, file])
    expect(await contentOf(readFileSync(file))).toEqual({ 'a/b': Buffer.alloc(5000, 'x') })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an archive that is changed or cut off gives the files as they were, or BadZip, never other bytes', async () => {
  const original = { 'chunks/aa/one': Buffer.alloc(500, 'one'), 'parts.json': Buffer.from('{"some":"json"}') }
  const zip = await zipOf(original)
  const change = fc.record({ at: fc.nat(zip.length - 1), to: fc.nat(255), length: fc.oneof(fc.constant(zip.length), fc.nat(zip.length)) })
  await fc.assert(
    fc.asyncProperty(change, async ({ at, to, length }) => {
      const changed = Buffer.from(zip.subarray(0, length))
      if (at < changed.length) changed[at] = to
      try {
        for (const content of Object.values(await contentOf(changed))) expect(Object.values(original)).toContainEqual(content)
      } catch (error) {
        if (!(error instanceof BadZip)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})

test('random bytes are no archive', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => expect(contentOf(Buffer.from(bytes))).rejects.toThrow(BadZip)), { numRuns: 200 })
})

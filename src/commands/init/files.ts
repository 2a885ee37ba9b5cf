import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { LifeboatError } from '../../error.ts'
import { unifiedDiff } from '../../report/unified-diff.ts'

export const WORKFLOWS = '.github/workflows'

/** A file as it is and as it shall be. */
export interface PlannedFile {
  /** From the top of the repository. */
  path: string
  before: string | undefined
  after: string
}

/** Bytes of a workflow, at most. */
const LARGEST = 100_000

/**
 * The text of a file of the checkout; undefined if it is not there. Throws (status 2) if it or a folder of its path is anything else than
 * itself: somebody else may have written the checkout, and a link in it may lead to any file of this machine. GitHub follows none either.
 */
export function textInCheckout(top: string, file: string): string | undefined {
  const parts = file.split('/')
  for (const [index] of parts.entries()) {
    const place = parts.slice(0, index + 1).join('/')
    const found = lstatSync(path.join(top, place), { throwIfNoEntry: false })
    if (found === undefined) return undefined
    const isFolder = index < parts.length - 1
    if (isFolder ? found.isDirectory() : found.isFile() && found.size <= LARGEST) continue
    const expected = isFolder ? 'a folder' : 'a regular file of at most 100 kB'
    throw new LifeboatError(`${place} is not ${expected}, and was neither read nor written`, {
      hint: 'Look at it, and remove it if nothing needs it. Nothing was changed.',
      status: 2,
    })
  }
  return readFileSync(path.join(top, file), 'utf8')
}

/** `texts`: by the names of files in the folder. */
export function plannedFiles(top: string, folder: string, texts: Readonly<Record<string, string>>): PlannedFile[] {
  return Object.entries(texts).map(([name, after]) => {
    const file = `${folder}/${name}`
    return { path: file, before: textInCheckout(top, file), after }
  })
}

export function diffOf(files: readonly PlannedFile[]): string {
  return files.map(({ path, before, after }) => unifiedDiff(path, before, after)).filter((text) => text !== '').join('\n')
}

/** Writes all of the files, or none: each is complete beside its place before the first is put there. Nothing is awaited in between. */
export function writeFiles(top: string, files: readonly PlannedFile[]): void {
  const staged = files.map((file) => {
    const target = path.join(top, file.path)
    return { target, temporary: `${target}.${randomBytes(4).toString('hex')}.tmp`, text: file.after }
  })
  try {
    for (const { target, temporary, text } of staged) {
      mkdirSync(path.dirname(target), { recursive: true })
      writeFileSync(temporary, text, { flag: 'wx', flush: true })
    }
    for (const { target, temporary } of staged) renameSync(temporary, target)
  } finally {
    for (const { temporary } of staged) rmSync(temporary, { force: true })
  }
}

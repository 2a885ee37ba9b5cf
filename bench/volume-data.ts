import { execFileSync } from 'node:child_process'
import { closeSync, cpSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import { noise, rows } from '../test/support/bytes.ts'

/** A folder to back up, and what changes in it between two backups. The same bytes every time. */
export interface Data {
  make: (folder: string) => void
  change: (folder: string) => void
}

const LARGE = 100 * 2 ** 20
const EDIT = noise('edit', 200)

export const data = {
  'files-small': {
    make: (folder) => {
      for (let index = 0; index < 100_000; index++) {
        const file = smallFile(folder, index)
        if (index % 100 < 37) mkdirSync(path.dirname(file), { recursive: true })
        writeFileSync(file, smallContent(index, 0))
      }
    },
    change: (folder) => {
      for (let index = 50; index < 100_000; index += 100) {
        if (index % 1000 === 50) rmSync(smallFile(folder, index))
        else writeFileSync(smallFile(folder, index), smallContent(index, 1))
      }
    },
  },
  'files-large': {
    make: (folder) => {
      for (let index = 0; index < 20; index++) {
        const file = openSync(path.join(folder, `disk-${index}.img`), 'w')
        // Halves of what compresses and of what does not.
        for (let at = 0; at < LARGE; at += 20 * 2 ** 20) {
          writeSync(file, rows(`${index} ${at}`, 10 * 2 ** 20))
          writeSync(file, noise(`${index} ${at}`, 10 * 2 ** 20))
        }
        closeSync(file)
      }
    },
    // 25 times 200 bytes in each of the files.
    change: (folder) => {
      for (let index = 0; index < 20; index++) {
        const file = openSync(path.join(folder, `disk-${index}.img`), 'r+')
        for (let edit = 0; edit < 25; edit++) writeSync(file, EDIT, 0, EDIT.length, edit * 4 * 2 ** 20 + 1_234_567 + index * 1000)
        closeSync(file)
      }
    },
  },
  'files-source': {
    make: (folder) => {
      for (const name of ['one', 'two']) copyTree(path.join(import.meta.dirname, '../node_modules'), path.join(folder, name))
    },
    // Every hundredth file of one of them gets a line more.
    change: (folder) => {
      const files = execFileSync('find', [path.join(folder, 'two'), '-type', 'f', '-print0'], { encoding: 'utf8', maxBuffer: 2 ** 28 }).split('\0').filter(Boolean).toSorted()
      for (let index = 0; index < files.length; index += 100) writeFileSync(files[index]!, '\n// changed\n', { flag: 'a' })
    },
  },
} as const satisfies Record<string, Data>

function smallFile(folder: string, index: number): string {
  return path.join(folder, `section-${index % 37}`, `shelf-${Math.floor(index / 100)}`, `document-${index}.txt`)
}

/** 200 bytes to 52 kB, 10 kB on average; three quarters are text. */
function smallContent(index: number, version: number): Buffer {
  const size = Math.round(200 * 260 ** (((index * 7919) % 1000) / 1000)) + (index % 97)
  return (index % 4 === 0 ? noise : rows)(`${index} ${version}`, size)
}

/** Without programs and other large files: those of a source tree are small. */
function copyTree(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    if (name.startsWith('.')) continue
    cpSync(path.join(from, name), path.join(to, name), { recursive: true, verbatimSymlinks: true, filter: (source) => statSync(source, { throwIfNoEntry: false })?.isDirectory() || (statSync(source, { throwIfNoEntry: false })?.size ?? 0) < 256 * 1024 })
  }
}

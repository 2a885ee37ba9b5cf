// The tests of `npm run test:quick`: those that, with everything they import in test/, start no process, listen on no port and need no program.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')

/** Starts a program or a server, itself and not through src. */
const STARTS = /child_process|\bcreateServer\b|\.listen\(/

/** Tests that start nothing themselves, and are not quick. */
export const left: Readonly<Record<string, string>> = {
  'test/commands/check-reused.test.ts': 'backs up a folder, which needs GNU tar and find',
  'test/commands/damage.test.ts': 'the same',
  'test/commands/keys-in-stores.test.ts': 'the same',
  'test/commands/not-resumed.test.ts': 'the same',
  'test/commands/recovery-files.test.ts': 'the same',
  'test/report/summary-page.test.ts': 'needs Chromium',
  'test/repository/invariants.test.ts': 'takes half a minute',
  'test/repository/references.test.ts': 'measures memory, which takes half a minute',
  'test/stores/rclone.test.ts': 'needs rclone',
}

/** Every test file, by its path from the top of the repository. */
export function allTests(): string[] {
  return readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts')).map((name) => path.join('test', name)).toSorted()
}

/** The test files that are quick. */
export function quickTests(): string[] {
  return allTests().filter((file) => startersOf(file).length === 0 && !Object.hasOwn(left, file))
}

/** The files that a test reaches by imports within test/, itself included, and that start a program or a server. */
export function startersOf(file: string, read: (file: string) => string = (name) => readFileSync(path.join(root, name), 'utf8')): string[] {
  const reached = new Map<string, string>()
  const reach = (name: string): void => {
    if (reached.has(name)) return
    const text = read(name)
    reached.set(name, text)
    for (const [, imported] of text.matchAll(/(?:^(?:import|export|\})[^'\n]*|\bimport\()'(\.{1,2}\/[^']+)'/gm)) {
      const found = path.join(path.dirname(name), imported!)
      if (found.startsWith('test/')) reach(found)
    }
  }
  reach(file)
  return [...reached].filter(([, text]) => STARTS.test(text)).map(([name]) => name)
}

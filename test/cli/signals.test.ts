import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

let folder: string
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-signals-'))))
afterEach(() => rmSync(folder, { recursive: true }))

/** Starts work that never ends and sends it a signal after each word that it prints. */
async function interrupted(manners: string, signals: Record<string, NodeJS.Signals>): Promise<{ status: number | null; words: string[]; staged: boolean }> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'waiting.ts'), folder, manners], { stdio: ['ignore', 'pipe', 'inherit'] })
  const words: string[] = []
  let staged = false
  child.stdout.on('data', (bytes: Buffer) => {
    for (const word of bytes.toString().trim().split('\n')) {
      words.push(word)
      staged ||= readdirSync(folder).length > 0
      if (signals[word]) child.kill(signals[word])
    }
  })
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { status, words, staged }
}

test.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])('%s stops the work, is called an interruption, and nothing stays in staging', async (signal) => {
  expect(await interrupted('stops', { waiting: signal })).toEqual({ status: 1, words: ['waiting', 'aborted', 'interrupted'], staged: true })
  expect(readdirSync(folder)).toEqual([])
})

test('a second SIGINT exits at once, when the work takes no notice of the first; staging is removed all the same', async () => {
  expect(await interrupted('goes on', { waiting: 'SIGINT', aborted: 'SIGINT' })).toEqual({ status: 1, words: ['waiting', 'aborted'], staged: true })
  expect(readdirSync(folder)).toEqual([])
})

test('an error that nobody catches ends the work as a failure, and staging is removed', async () => {
  expect(await interrupted('goes on', { waiting: 'SIGUSR2' })).toEqual({ status: 1, words: ['waiting', 'aborted', 'from nowhere'], staged: true })
  expect(readdirSync(folder)).toEqual([])
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
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
  expect(await interrupted('stops', { waiting: signal })).toEqual({ status: 130, words: ['waiting', 'aborted', 'interrupted'], staged: true })
  expect(readdirSync(folder)).toEqual([])
})

test('a second SIGINT exits at once, when the work takes no notice of the first; staging is removed all the same', async () => {
  expect(await interrupted('goes on', { waiting: 'SIGINT', aborted: 'SIGINT' })).toEqual({ status: 130, words: ['waiting', 'aborted'], staged: true })
  expect(readdirSync(folder)).toEqual([])
})

test('an error that nobody catches ends the work as a failure, and staging is removed', async () => {
  expect(await interrupted('goes on', { waiting: 'SIGUSR2' })).toEqual({ status: 1, words: ['waiting', 'aborted', 'from nowhere'], staged: true })
  expect(readdirSync(folder)).toEqual([])
})

test('a run removes the staging of killed runs, but not that of a run that still works, nor that of other containers', async () => {
  const living = spawn(process.execPath, [path.join(import.meta.dirname, 'waiting.ts'), folder, 'stops'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(living.stdout, 'data')
  const [staged = ''] = readdirSync(folder)
  const elsewhere = staged.replace(/^(lifeboat-run-\w+)-\d+/, '$1-1')
  const longGone = staged.replace(/^lifeboat-run-\w+/, 'lifeboat-run-00000000')
  for (const name of [elsewhere, longGone, 'lifeboat-of-someone']) mkdirSync(path.join(folder, name))
  utimesSync(path.join(folder, longGone), 0, 0)
  expect(await interrupted('goes on', { waiting: 'SIGKILL' })).toMatchObject({ status: null })
  const killed = readdirSync(folder).filter((name) => ![staged, elsewhere, 'lifeboat-of-someone'].includes(name))
  // The one that was killed has removed the old one.
  expect([killed.length, killed.includes(longGone)]).toEqual([1, false])
  await interrupted('stops', { waiting: 'SIGINT' })
  expect(readdirSync(folder).toSorted()).toEqual([staged, elsewhere, 'lifeboat-of-someone'].toSorted())
  living.kill('SIGINT')
  await once(living, 'close')
  expect(readdirSync(folder).toSorted()).toEqual([elsewhere, 'lifeboat-of-someone'].toSorted())
})
